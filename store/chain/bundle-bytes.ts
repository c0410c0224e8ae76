/**
 * Bytes of bundles. Lines are canonical JSON, each ended by a newline, and compressed with gzip; only the header is a plain
 * line. Pure.
 */
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { BundleHeader, LinesRef } from '../../schemas/bundle.ts';
import { sha256Hex } from './leaf.ts';

/** Largest inflated size of a bundle or frame. A larger one is refused before it fills the memory. */
export const MAX_INFLATED_BYTES = 1024 * 1024 * 1024;

/** A header has some kilobytes, with many writers some hundred. */
export const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The fastest level of zlib that still compresses repeated member names and the hex of salts. Level 6 takes twice the
 * time of all hashing and saves a tenth of the bytes.
 */
const GZIP = { level: 1 };
const gzipInPool = promisify(gzip) as (bytes: Uint8Array, options: typeof GZIP) => Promise<Buffer>;

/** Compresses lines that each end with a newline, on a thread of the pool. */
export function packLineBytes(lines: Uint8Array): Promise<Uint8Array> {
  return gzipInPool(lines, GZIP);
}

/** The same of texts, which it ends with newlines. */
export function packLines(texts: readonly string[]): Promise<Uint8Array> {
  return packLineBytes(Buffer.from(`${texts.join('\n')}\n`));
}

/** Lines without their newlines. Throws RangeError or a zlib error for bytes that `packLines` cannot have made. */
export function decodeLines(bytes: Uint8Array): string[] {
  const text = toText(gunzipSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES }));
  if (!text.endsWith('\n')) throw new RangeError('the last line has no newline');
  return text.slice(0, -1).split('\n');
}

/** How a header names the compressed lines behind it. */
export function linesRef(lines: Uint8Array): LinesRef {
  return { sha256: sha256Hex(lines), size_bytes: lines.length };
}

/**
 * The header as a line of text, then the compressed lines of the frames and of the leaves, in log order. The header names
 * these bytes, so its signature covers every byte of the bundle.
 */
export function packBundle(header: BundleHeader, lines: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${canonicalJson(header)}\n`), lines]);
}

/** A bundle cut behind its first line. Throws RangeError where there is none. */
export function cutBundle(bytes: Uint8Array): { headerLine: Uint8Array; lines: Uint8Array } {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(NEWLINE);
  if (end < 0) throw new RangeError('a bundle begins with no header line');
  return { headerLine: bytes.subarray(0, end), lines: bytes.subarray(end + 1) };
}

/** Whether these are the bytes that the header names. */
export function areLinesOf(
  { lines: { sha256, size_bytes } }: Pick<BundleHeader, 'lines'>,
  lines: Uint8Array,
): boolean {
  return lines.length === size_bytes && sha256Hex(lines) === sha256;
}

/** The texts of a bundle, unchecked: the caller checks them against their schemas and each other. */
export function decodeBundle(bytes: Uint8Array): {
  headerText: string;
  lines: Uint8Array;
  frameTexts: string[];
  leafTexts: string[];
} {
  const { headerLine, lines } = cutBundle(bytes);
  const headerText = toText(headerLine);
  const texts = decodeLines(lines);
  const frameCount = frameCountOf(headerText);
  return { headerText, lines, frameTexts: texts.slice(0, frameCount), leafTexts: texts.slice(frameCount) };
}

function frameCountOf(headerText: string): number {
  const header: unknown = JSON.parse(headerText);
  if (typeof header === 'object' && header !== null && 'frame_count' in header) {
    const count = header.frame_count;
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count;
  }
  throw new RangeError('the header counts no frames');
}

function toText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
