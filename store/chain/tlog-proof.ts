/** Offline proof of one leaf as C2SP tlog-proof writes it: index, audit path and the checkpoint, in one text. Pure. */
import { fromBase64 } from './note.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';

interface TlogProof {
  readonly index: number;
  readonly path: readonly Uint8Array[];
  /** The signed checkpoint note, verbatim. */
  readonly checkpoint: string;
}

export function formatTlogProof({ index, path, checkpoint }: TlogProof): string {
  const hashes = path.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `${HEADER}\nindex ${String(index)}\n${hashes.join('')}\n${checkpoint}`;
}

/** Undefined for a text that `formatTlogProof` cannot have made; an `extra` line is not accepted. */
export function parseTlogProof(text: string): TlogProof | undefined {
  const split = text.indexOf('\n\n');
  const [header, indexLine = '', ...encoded] = text.slice(0, Math.max(split, 0)).split('\n');
  const digits = /^index (0|[1-9][0-9]*)$/.exec(indexLine)?.[1];
  const path = encoded.map(fromBase64);
  if (header !== HEADER || digits === undefined || !Number.isSafeInteger(Number(digits))) return undefined;
  if (!path.every((hash) => hash?.length === 32)) return undefined;
  return {
    index: Number(digits),
    path: path.filter((hash) => hash !== undefined),
    checkpoint: text.slice(split + 2),
  };
}
