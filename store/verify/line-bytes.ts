/**
 * Reading lines of a known form byte by byte: a line is read once, and no string is made but those that are kept.
 * Places count from the start of the line. Where something is not as asked, what stands behind it is nowhere, and so is
 * all that follows from there. Pure.
 */

export const NOWHERE = -1;

/** One for each byte that the set holds; bytes beyond the end of a line count as 0, which no set holds. */
export type ByteSet = Uint8Array;

export const LOWER_HEX = byteSet('0123456789abcdef');

export const QUOTE = 0x22;
const HASH_DIGITS = 64;
const HALF_BYTE = 4;
/** Value of each hex digit in lower case. */
const DIGIT_VALUES = new Uint8Array(256);
'0123456789abcdef'.split('').forEach((digit, value) => (DIGIT_VALUES[digit.charCodeAt(0)] = value));

export function byteSet(chars: string): ByteSet {
  const set = new Uint8Array(256);
  for (const byte of Buffer.from(chars)) set[byte] = 1;
  return set;
}

/** Place behind `text`, which is ASCII, if it stands at `at`. */
export function endOfText(line: Uint8Array, at: number, text: string): number {
  if (at === NOWHERE) return NOWHERE;
  for (let offset = 0; offset < text.length; offset += 1)
    if (line[at + offset] !== text.charCodeAt(offset)) return NOWHERE;
  return at + text.length;
}

/** Place behind all bytes of the set from `at` on; `at` itself if there is none. */
export function endOfRun(line: Uint8Array, at: number, set: ByteSet): number {
  let end = at;
  while (set[line[end] ?? 0] === 1) end += 1;
  return end;
}

/** Place behind a string of bytes of the set, in its quotation marks. */
export function endOfQuoted(line: Uint8Array, at: number, set: ByteSet): number {
  if (at === NOWHERE || line[at] !== QUOTE) return NOWHERE;
  const end = endOfRun(line, at + 1, set);
  return line[end] === QUOTE ? end + 1 : NOWHERE;
}

/** Place behind a SHA-256 in hex, in its quotation marks. */
export function endOfHash(line: Uint8Array, at: number): number {
  const end = endOfQuoted(line, at, LOWER_HEX);
  return end === at + HASH_DIGITS + 2 ? end : NOWHERE;
}

/** Fills `bytes` from hex digits that were read as such. */
export function decodeHex(line: Uint8Array, at: number, bytes: Uint8Array): void {
  for (let place = 0; place < bytes.length; place += 1) {
    const high = DIGIT_VALUES[line[at + 2 * place] ?? 0] ?? 0;
    const low = DIGIT_VALUES[line[at + 2 * place + 1] ?? 0] ?? 0;
    bytes[place] = (high << HALF_BYTE) | low;
  }
}
