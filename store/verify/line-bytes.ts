/**
 * Reading lines of a known form byte by byte: a line is read once, and only strings that are kept are built. Offsets
 * count from the start of the line. Every function returns NO_MATCH where the line differs, and where it is called with
 * NO_MATCH, so that calls can be chained. Pure.
 */

export const NO_MATCH = -1;

/** 1 for each byte that the set holds. Bytes beyond the end of a line count as 0, which no set holds. */
type ByteSet = Uint8Array;

const LOWER_HEX = byteSet('0123456789abcdef');

const BASE64URL = byteSet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const LAST_OF_BASE64URL = byteSet('AEIMQUYcgkosw048');

export const QUOTE = 0x22;
const HASH_DIGITS = 64;
const BASE64URL_DIGITS = 43;

export function byteSet(chars: string): ByteSet {
  const set = new Uint8Array(256);
  for (const byte of Buffer.from(chars)) set[byte] = 1;
  return set;
}

/** Offset behind `text`, which is ASCII, if the line has it at `at`. */
export function endOfText(line: Uint8Array, at: number, text: string): number {
  if (at === NO_MATCH) return NO_MATCH;
  for (let offset = 0; offset < text.length; offset += 1)
    if (line[at + offset] !== text.charCodeAt(offset)) return NO_MATCH;
  return at + text.length;
}

/** Offset behind all bytes of the set from `at` on; `at` itself where the first byte is not in the set. */
export function endOfRun(line: Uint8Array, at: number, set: ByteSet): number {
  let end = at;
  while (set[line[end] ?? 0] === 1) end += 1;
  return end;
}

/** Offset behind a string of bytes of the set, in quotation marks. */
export function endOfQuoted(line: Uint8Array, at: number, set: ByteSet): number {
  if (at === NO_MATCH || line[at] !== QUOTE) return NO_MATCH;
  const end = endOfRun(line, at + 1, set);
  return line[end] === QUOTE ? end + 1 : NO_MATCH;
}

/** Offset behind 32 bytes as base64url, in quotation marks: the last character holds four bits. */
export function endOfBase64UrlHash(line: Uint8Array, at: number): number {
  const end = endOfQuoted(line, at, BASE64URL);
  const isLong = end === at + BASE64URL_DIGITS + 2;
  return isLong && LAST_OF_BASE64URL[line[end - 2] ?? 0] === 1 ? end : NO_MATCH;
}

/** Offset behind a SHA-256 in hex, in quotation marks. */
export function endOfHash(line: Uint8Array, at: number): number {
  const end = endOfQuoted(line, at, LOWER_HEX);
  return end === at + HASH_DIGITS + 2 ? end : NO_MATCH;
}
