/** Bytes of bundles and payload objects: gzip of lines, each line canonical JSON, each ended by a newline. Pure. */
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { BundleHeader } from '../../schemas/bundle.ts';

/** Largest inflated size of a bundle or payload object. A larger one is refused before it fills the memory. */
export const MAX_INFLATED_BYTES = 1024 * 1024 * 1024;

/**
 * The fastest level of zlib that still compresses repeated member names and the hex of salts. Level 6 takes twice the
 * time of all hashing and saves a tenth of the bytes.
 */
const GZIP = { level: 1 };
const gzipInPool = promisify(gzip) as (text: string, options: typeof GZIP) => Promise<Buffer>;

/** Ends each line with a newline and compresses all of them on a thread of the pool. */
export function packLines(lines: readonly string[]): Promise<Uint8Array> {
  return gzipInPool(`${lines.join('\n')}\n`, GZIP);
}

/** Lines without their newlines. Throws RangeError or a zlib error for bytes that `packLines` cannot have made. */
export function decodeLines(bytes: Uint8Array): string[] {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
    gunzipSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES }),
  );
  if (!text.endsWith('\n')) throw new RangeError('the last line has no newline');
  return text.slice(0, -1).split('\n');
}

/** The header in the first line, then one leaf text per line, in log order. */
export function packBundle(header: BundleHeader, leafTexts: readonly string[]): Promise<Uint8Array> {
  return packLines([canonicalJson(header), ...leafTexts]);
}

/** Header and leaf texts, unchecked: the caller checks them against their schemas and each other. */
export function decodeBundle(bytes: Uint8Array): { headerText: string; leafTexts: string[] } {
  const [headerText = '', ...leafTexts] = decodeLines(bytes);
  return { headerText, leafTexts };
}
