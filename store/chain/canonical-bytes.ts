/**
 * Whether bytes are canonical JSON (RFC 8785, restricted to safe integers), by one pass over them. Accepts exactly the
 * texts that `canonicalJson` in schemas/canonical.ts writes, without building their values. Pure.
 */
import { isUtf8 } from 'node:buffer';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const FIRST_PRINTABLE = 0x20;
const FIRST_NON_ASCII = 0x80;

/** Every integer of up to 15 digits is safe; of 16 digits the value decides. */
const ALWAYS_SAFE_DIGITS = 15;
/** Digits of the largest safe integer, 2^53 - 1. */
const MAX_SAFE_DIGITS = 16;
/** `"`, `\`, b, f, n, r, t: what may follow a backslash, besides `u` with four digits. */
const SHORT_ESCAPES: readonly number[] = [QUOTE, BACKSLASH, 0x62, 0x66, 0x6e, 0x72, 0x74];
/** RFC 8785 section 3.2.2.2: controls without a short escape, in lower-case hex. */
const CONTROL_ESCAPE = /^\\u00(?:0[0-7be-f]|1[0-9a-f])$/;
const CONTROL_ESCAPE_LENGTH = 6;
const LITERALS = ['true', 'false', 'null'];

/** No canonical value starts at the offset asked for. */
const NO_MATCH = -1;

/** With `start` and `end`: a part of a text that is UTF-8 throughout, where no digit follows the part. */
export function isCanonicalJson(text: Buffer, start = 0, end = text.length): boolean {
  try {
    // Other characters than ASCII can appear in strings only, and the pass below accepts all of their bytes.
    return endOfValue(text, start) === end && isUtf8(text);
  } catch (error) {
    // Nesting beyond the stack; `canonicalJson` cannot write such a text either.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Offset behind the value that starts at `at`, or NO_MATCH. Bytes beyond the end read as undefined and match nothing. */
function endOfValue(bytes: Buffer, at: number): number {
  switch (bytes[at]) {
    case QUOTE:
      return endOfString(bytes, at);
    case OPEN_OBJECT:
      return endOfObject(bytes, at);
    case OPEN_ARRAY:
      return endOfArray(bytes, at);
    default:
      return isDigit(bytes[at]) || bytes[at] === MINUS ? endOfInteger(bytes, at) : endOfLiteral(bytes, at);
  }
}

function endOfString(bytes: Buffer, at: number): number {
  let next = at + 1;
  for (;;) {
    const byte = bytes[next] ?? 0;
    if (byte === QUOTE) return next + 1;
    if (byte < FIRST_PRINTABLE) return NO_MATCH;
    next = byte === BACKSLASH ? endOfEscape(bytes, next) : next + 1;
    if (next === NO_MATCH) return NO_MATCH;
  }
}

function endOfEscape(bytes: Buffer, at: number): number {
  if (SHORT_ESCAPES.includes(bytes[at + 1] ?? 0)) return at + 2;
  const end = at + CONTROL_ESCAPE_LENGTH;
  return CONTROL_ESCAPE.test(bytes.toString('latin1', at, end)) ? end : NO_MATCH;
}

/** Members in rising order of their names by UTF-16 code units (RFC 8785 section 3.2.3), so that no name repeats. */
function endOfObject(bytes: Buffer, at: number): number {
  if (bytes[at + 1] === CLOSE_OBJECT) return at + 2;
  let previous = NO_MATCH;
  let next = at;
  do {
    const name = next + 1;
    const colon = bytes[name] === QUOTE ? endOfString(bytes, name) : NO_MATCH;
    if (bytes[colon] !== COLON) return NO_MATCH;
    if (previous !== NO_MATCH && !isRising(bytes, previous, name)) return NO_MATCH;
    previous = name;
    next = endOfValue(bytes, colon + 1);
  } while (bytes[next] === COMMA);
  return bytes[next] === CLOSE_OBJECT ? next + 1 : NO_MATCH;
}

/** Whether the name that starts at `left` sorts before the one at `right`. Both are well-formed strings. */
function isRising(bytes: Buffer, left: number, right: number): boolean {
  for (let offset = 1; ; offset += 1) {
    const one = bytes[left + offset] ?? 0;
    const other = bytes[right + offset] ?? 0;
    // Only plain ASCII sorts by its bytes as it does by its code units.
    if (!isPlain(one) || !isPlain(other)) return nameAt(bytes, left) < nameAt(bytes, right);
    if (one === QUOTE || other === QUOTE) return other !== QUOTE;
    if (one !== other) return one < other;
  }
}

function isPlain(byte: number): boolean {
  return byte < FIRST_NON_ASCII && byte !== BACKSLASH;
}

function nameAt(bytes: Buffer, at: number): string {
  return JSON.parse(bytes.toString('utf8', at, endOfString(bytes, at))) as string;
}

function endOfArray(bytes: Buffer, at: number): number {
  if (bytes[at + 1] === CLOSE_ARRAY) return at + 2;
  let next = at;
  do next = endOfValue(bytes, next + 1);
  while (bytes[next] === COMMA);
  return bytes[next] === CLOSE_ARRAY ? next + 1 : NO_MATCH;
}

/** Refuses a leading zero, negative zero, and an integer that a double cannot hold exactly. */
function endOfInteger(bytes: Buffer, at: number): number {
  const first = bytes[at] === MINUS ? at + 1 : at;
  let end = first;
  while (isDigit(bytes[end])) end += 1;
  const digits = end - first;
  if (bytes[first] === ZERO) return digits === 1 && first === at ? end : NO_MATCH;
  if (digits > 0 && digits <= ALWAYS_SAFE_DIGITS) return end;
  const isSafe =
    digits === MAX_SAFE_DIGITS && Number.isSafeInteger(Number(bytes.toString('latin1', first, end)));
  return isSafe ? end : NO_MATCH;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function endOfLiteral(bytes: Buffer, at: number): number {
  const literal = LITERALS.find((each) => each === bytes.toString('latin1', at, at + each.length));
  return literal === undefined ? NO_MATCH : at + literal.length;
}
