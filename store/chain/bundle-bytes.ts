/**
 * Bytes of bundles and payload objects. Lines are canonical JSON, each ended by a newline, and compressed with gzip; only
 * the header of a bundle is a plain line. Pure.
 */
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { BundleHeader, LeavesRef } from '../../schemas/bundle.ts';
import { sha256Hex } from './leaf.ts';

/** Largest inflated size of a bundle or payload object. A larger one is refused before it fills the memory. */
export const MAX_INFLATED_BYTES = 1024 * 1024 * 1024;

/** A header has some kilobytes, with many writers and payload objects some hundred. */
export const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

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
  const text = toText(gunzipSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES }));
  if (!text.endsWith('\n')) throw new RangeError('the last line has no newline');
  return text.slice(0, -1).split('\n');
}

/** How a header names the compressed lines of its leaves. */
export function leavesRef(leaves: Uint8Array): LeavesRef {
  return { sha256: sha256Hex(leaves), size_bytes: leaves.length };
}

/**
 * The header as a line of text, then the compressed lines of the leaves, in log order. The header names these bytes, so
 * its signature covers every byte of the bundle.
 */
export function packBundle(header: BundleHeader, leaves: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${canonicalJson(header)}\n`), leaves]);
}

/** A bundle cut behind its first line. Throws RangeError where there is none. */
export function cutBundle(bytes: Uint8Array): { headerLine: Uint8Array; leaves: Uint8Array } {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(NEWLINE);
  if (end < 0) throw new RangeError('a bundle begins with no header line');
  return { headerLine: bytes.subarray(0, end), leaves: bytes.subarray(end + 1) };
}

/** Whether these are the bytes that the header names. */
export function areLeavesOf(
  { leaves: { sha256, size_bytes } }: Pick<BundleHeader, 'leaves'>,
  leaves: Uint8Array,
) {
  return leaves.length === size_bytes && sha256Hex(leaves) === sha256;
}

/** Header and leaf texts, unchecked: the caller checks them against their schemas and each other. */
export function decodeBundle(bytes: Uint8Array): {
  headerText: string;
  leaves: Uint8Array;
  leafTexts: string[];
} {
  const { headerLine, leaves } = cutBundle(bytes);
  return { headerText: toText(headerLine), leaves, leafTexts: decodeLines(leaves) };
}

function toText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
