import type { JsonValue } from '../../schemas/json.ts';

/**
 * A walk over the bytes of JSON text that a strict parser has accepted already, so that no function here checks
 * grammar. No byte of a longer UTF-8 sequence looks like one of JSON's own characters.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** What `take` returns to end a walk before its end, and what the walk then returns. */
export const STOPPED = -1;

/** Is told where a member's name begins and ends, quotes included, and where its value begins; tells where that ends. */
export type TakeMember = (nameAt: number, nameEnd: number, valueAt: number) => number;
/** Is told where an element begins and its place in the array; tells where it ends. */
export type TakeElement = (valueAt: number, index: number) => number;

/** Walks the members of the object that opens at `start`; returns the index behind its closing brace. */
export function walkObject(bytes: Buffer, start: number, take: TakeMember): number {
  let at = skipSpace(bytes, start + 1);
  while (bytes[at] === QUOTE) {
    const nameEnd = endOfText(bytes, at + 1);
    const colonAt = skipSpace(bytes, nameEnd);
    at = take(at, nameEnd, skipSpace(bytes, colonAt + 1));
    if (at === STOPPED) return STOPPED;
    at = skipSpace(bytes, at);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return at + 1;
}

/** Walks the elements of the array that opens at `start`; returns the index behind its closing bracket. */
export function walkArray(bytes: Buffer, start: number, take: TakeElement): number {
  let at = skipSpace(bytes, start + 1);
  for (let index = 0; at < bytes.length && bytes[at] !== CLOSING_BRACKET; index += 1) {
    at = take(at, index);
    if (at === STOPPED) return STOPPED;
    at = skipSpace(bytes, at);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return at + 1;
}

export function isObjectAt(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPENING_BRACE;
}

export function isArrayAt(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPENING_BRACKET;
}

/** Index behind the value that begins at `start`. */
export function endOfValue(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === QUOTE) return endOfText(bytes, start + 1);
  if (first === OPENING_BRACE || first === OPENING_BRACKET) return endOfContainers(bytes, start, 0);
  let at = start + 1;
  while (at < bytes.length && !endsScalar(bytes[at])) at += 1;
  return at;
}

/**
 * Index behind the bracket that closes the outermost of `open` containers; at 0, of the one that opens at `start`.
 * Without a stack, however deep the text nests.
 */
export function endOfContainers(bytes: Buffer, start: number, open: number): number {
  const { length } = bytes;
  let depth = open;
  let at = start;
  while (at < length) {
    const byte = bytes[at];
    at += 1;
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) depth += 1;
    else if ((byte === CLOSING_BRACE || byte === CLOSING_BRACKET) && --depth === 0) return at;
  }
  return at;
}

/** Index behind the closing quote of the string whose text begins at `start`. */
function endOfText(bytes: Buffer, start: number): number {
  const { length } = bytes;
  let at = start;
  for (;;) {
    while (at < length && bytes[at] !== QUOTE) at += 1;
    if (at >= length) return length;
    at += 1;
    if (bytes[at - 2] !== BACKSLASH || !isEscaped(bytes, at - 1)) return at;
  }
}

/** Runs of backslashes end at the quote before, so all look-backs of a string together are linear. */
function isEscaped(bytes: Buffer, at: number): boolean {
  let backslashes = 0;
  while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes += 1;
  return backslashes % 2 === 1;
}

/** Index of the first byte from `start` on that is no white space (RFC 8259 section 2). */
export function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (isSpace(bytes[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function endsScalar(byte: number | undefined): boolean {
  return byte === COMMA || byte === CLOSING_BRACE || byte === CLOSING_BRACKET || isSpace(byte);
}

/** Whether a string token, quotes included, spells an ASCII name, with escapes or without. */
export function spells(bytes: Buffer, from: number, to: number, name: string): boolean {
  const surplus = to - from - 2 - name.length;
  if (surplus < 0) return false;
  // An escape is longer than what it stands for.
  if (surplus > 0) return hasEscape(bytes, from, to) && parseAt(bytes, from, to) === name;
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[from + 1 + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}

function hasEscape(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}

/** The value between two places, parsed. */
export function parseAt(bytes: Buffer, from: number, to: number): JsonValue {
  return JSON.parse(bytes.toString('utf8', from, to)) as JsonValue;
}
