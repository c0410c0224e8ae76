/** The first object of a log says which log it is, and its own key signs that. Pure; node:crypto only. */
import type { LogGenesis, UnsignedLogGenesis } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { FRAME_DICTIONARY_SHA256 } from './frame-dictionary.ts';
import { sha256Hex } from './leaf.ts';
import { fromBase64, isSignedBy, parseVkey } from './note.ts';

/** Keeps these signatures apart from those of bundles and checkpoints. */
const DOMAIN = 'affidavit/genesis/v1\n';

/** The bytes that are signed: the domain line and the canonical JSON of the genesis without its signature. */
export function genesisMessage(genesis: UnsignedLogGenesis): Buffer {
  return Buffer.from(`${DOMAIN}${canonicalJson(genesis)}`);
}

/** The object of a genesis: one line. */
export function formatGenesis(genesis: LogGenesis): Buffer {
  return Buffer.from(`${canonicalJson(genesis)}\n`);
}

/** The digest by which each bundle header names the genesis: SHA-256 of its object, hex. */
export function genesisDigest(genesis: LogGenesis): string {
  return sha256Hex(formatGenesis(genesis));
}

/**
 * Whether an object is the genesis of a log in another version of the format: it names a log and a key, and another version
 * or another dictionary than those that this program reads.
 */
export function isOfOtherFormat(bytes: Uint8Array): boolean {
  const genesis = parseObject(Buffer.from(bytes).toString('utf8'));
  if (typeof genesis?.origin !== 'string' || typeof genesis.vkey !== 'string') return false;
  return genesis.v !== 1 || genesis.frame_dictionary !== FRAME_DICTIONARY_SHA256;
}

type Stated = Readonly<Partial<Record<keyof LogGenesis, unknown>>>;

function parseObject(text: string): Stated | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the key that a genesis names has its origin as name. */
export function namesItsKey({ origin, vkey }: Pick<LogGenesis, 'origin' | 'vkey'>): boolean {
  return parseVkey(vkey)?.name === origin;
}

/** Whether the key that a genesis names signed it. */
export function isGenesisSigned({ signature, ...genesis }: LogGenesis): boolean {
  const key = parseVkey(genesis.vkey);
  const bytes = fromBase64(signature);
  return key !== undefined && bytes !== undefined && isSignedBy(key, genesisMessage(genesis), bytes);
}
