/** The first object of a log says which log it is, and its own key signs that. Pure; node:crypto only. */
import type { LogGenesis, UnsignedLogGenesis } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
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
