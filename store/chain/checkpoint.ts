/** Checkpoints as C2SP tlog-checkpoint defines them: the text that is signed as a note. Pure. */
import { fromBase64, type VerifierKey, verifyNote } from './note.ts';

const HASH_BYTES = 32;

export interface Checkpoint {
  readonly origin: string;
  readonly tree_size: number;
  /** Hex. */
  readonly root_hash: string;
}

/** Three lines: origin, size in decimal, base64 root. No extension lines, because monitors cannot audit them. */
export function checkpointText({ origin, tree_size, root_hash }: Checkpoint): string {
  return `${origin}\n${String(tree_size)}\n${Buffer.from(root_hash, 'hex').toString('base64')}\n`;
}

/** Undefined for anything but exactly three well-formed lines. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin, size, root, rest, ...more] = text.split('\n');
  if (origin === undefined || size === undefined || root === undefined || rest !== '' || more.length > 0) {
    return undefined;
  }
  const rootBytes = fromBase64(root);
  const tree_size = Number(size);
  if (!/^(0|[1-9][0-9]*)$/.test(size) || !Number.isSafeInteger(tree_size)) return undefined;
  if (origin === '' || rootBytes?.length !== HASH_BYTES) return undefined;
  return { origin, tree_size, root_hash: rootBytes.toString('hex') };
}

/** The checkpoint inside a note that `key` signed and that names `key.name` as its origin, else undefined. */
export function openCheckpoint(note: string, key: VerifierKey): Checkpoint | undefined {
  const text = verifyNote(note, key);
  const checkpoint = text === undefined ? undefined : parseCheckpoint(text);
  return checkpoint?.origin === key.name ? checkpoint : undefined;
}

/** As `openCheckpoint`, where each of the keys signed. At least one is given. */
export function openCheckpointBy(note: string, keys: readonly VerifierKey[]): Checkpoint | undefined {
  const opened = keys.map((key) => openCheckpoint(note, key));
  return opened.includes(undefined) ? undefined : opened[0];
}
