/**
 * Whether bytes are canonical JSON (RFC 8785, restricted to safe integers), by one pass over them: accepts exactly the
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

/** Every integer of so many digits is safe; one more, and its value decides. */
const ALWAYS_SAFE_DIGITS = 15;
const MAX_SAFE_DIGITS = 16;
/** `"`, `\`, b, f, n, r, t: what may follow a backslash, besides `u` with four digits. */
const SHORT_ESCAPES: readonly number[] = [QUOTE, BACKSLASH, 0x62, 0x66, 0x6e, 0x72, 0x74];
/** RFC 8785 section 3.2.2.2: controls without a short escape, in lower-case hex. */
const CONTROL_ESCAPE = /^\\u00(?:0[0-7be-f]|1[0-9a-f])$/;
const CONTROL_ESCAPE_LENGTH = 6;
const LITERALS = ['true', 'false', 'null'];

/** No canonical value starts at the place asked for. */
const NOWHERE = -1;

/** Of a part of a text, if so asked: one that ends where a digit cannot follow, in a text that is UTF-8 throughout. */
export function isCanonicalJson(text: Buffer, start = 0, end = text.length): boolean {
  try {
    // Bytes of other characters than ASCII can stand in strings alone, where the pass below lets them through.
    return endOfValue(text, start) === end && isUtf8(text);
  } catch (error) {
    // Nesting beyond the stack; `canonicalJson` writes no such text either.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Place behind the value that starts at `at`, or NOWHERE. Bytes beyond the end read as undefined and match nothing. */
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
  let place = at + 1;
  for (;;) {
    const byte = bytes[place] ?? 0;
    if (byte === QUOTE) return place + 1;
    if (byte < FIRST_PRINTABLE) return NOWHERE;
    place = byte === BACKSLASH ? endOfEscape(bytes, place) : place + 1;
    if (place === NOWHERE) return NOWHERE;
  }
}

function endOfEscape(bytes: Buffer, at: number): number {
  if (SHORT_ESCAPES.includes(bytes[at + 1] ?? 0)) return at + 2;
  const end = at + CONTROL_ESCAPE_LENGTH;
  return CONTROL_ESCAPE.test(bytes.toString('latin1', at, end)) ? end : NOWHERE;
}

/** Members in rising order of their names by UTF-16 code units (RFC 8785 section 3.2.3), so none is there twice. */
function endOfObject(bytes: Buffer, at: number): number {
  if (bytes[at + 1] === CLOSE_OBJECT) return at + 2;
  let previous = NOWHERE;
  let place = at;
  do {
    const name = place + 1;
    const colon = bytes[name] === QUOTE ? endOfString(bytes, name) : NOWHERE;
    if (bytes[colon] !== COLON) return NOWHERE;
    if (previous !== NOWHERE && !isRising(bytes, previous, name)) return NOWHERE;
    previous = name;
    place = endOfValue(bytes, colon + 1);
  } while (bytes[place] === COMMA);
  return bytes[place] === CLOSE_OBJECT ? place + 1 : NOWHERE;
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
  let place = at;
  do place = endOfValue(bytes, place + 1);
  while (bytes[place] === COMMA);
  return bytes[place] === CLOSE_ARRAY ? place + 1 : NOWHERE;
}

/** No leading zero, no negative zero, and nothing that a double cannot hold exactly. */
function endOfInteger(bytes: Buffer, at: number): number {
  const first = bytes[at] === MINUS ? at + 1 : at;
  let end = first;
  while (isDigit(bytes[end])) end += 1;
  const digits = end - first;
  if (bytes[first] === ZERO) return digits === 1 && first === at ? end : NOWHERE;
  if (digits > 0 && digits <= ALWAYS_SAFE_DIGITS) return end;
  const isSafe =
    digits === MAX_SAFE_DIGITS && Number.isSafeInteger(Number(bytes.toString('latin1', first, end)));
  return isSafe ? end : NOWHERE;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function endOfLiteral(bytes: Buffer, at: number): number {
  const literal = LITERALS.find((each) => each === bytes.toString('latin1', at, at + each.length));
  return literal === undefined ? NOWHERE : at + literal.length;
}
