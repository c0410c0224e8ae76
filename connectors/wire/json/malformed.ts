/**
 * Where a body stops being UTF-8 or JSON. The engine tells neither without quoting the body, and what a person
 * typed must not stand in an error message.
 */

/** `line L column C (byte N)`; lines and columns count from 1, columns in UTF-16 code units, bytes from 0. */
export function describePlace(text: string, at: number): string {
  const before = text.slice(0, at);
  const lastBreak = before.lastIndexOf('\n');
  let line = 1;
  for (let next = before.indexOf('\n'); next !== -1; next = before.indexOf('\n', next + 1)) line += 1;
  return `line ${line} column ${before.length - lastBreak} (byte ${Buffer.byteLength(before)})`;
}

/** Offset of the first byte that begins no well-formed UTF-8 sequence (Unicode table 3-7). */
export function locateInvalidUtf8(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return bytes.length;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const [low, high] = secondByteRange(lead);
  if (!isByteIn(bytes[at + 1], low, high)) return 0;
  for (let next = 2; next < length; next += 1) {
    if (!isByteIn(bytes[at + next], 0x80, 0xbf)) return 0;
  }
  return length;
}

function isByteIn(byte: number | undefined, low: number, high: number): boolean {
  return byte !== undefined && byte >= low && byte <= high;
}

function secondByteRange(lead: number): readonly [number, number] {
  if (lead === 0xe0) return [0xa0, 0xbf];
  if (lead === 0xed) return [0x80, 0x9f];
  if (lead === 0xf0) return [0x90, 0xbf];
  return lead === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}

const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** What may stand next: a value, a member name, or what follows a value. */
type Expectation = 'value' | 'value_or_end' | 'name' | 'name_or_end' | 'separator';

interface Place {
  readonly text: string;
  readonly open: ('object' | 'array')[];
  expects: Expectation;
  at: number;
}

/** Index of the first character that cannot continue JSON text; the length of the text if it merely ends early. */
export function locateSyntaxError(text: string): number {
  const place: Place = { text, open: [], expects: 'value', at: 0 };
  for (;;) {
    skipWhile(place, isWhiteSpace);
    if (place.at >= text.length || !advance(place)) return place.at;
  }
}

/** Moves over one token; false if it cannot stand here, with `at` on the offending character. */
function advance(place: Place): boolean {
  const character = place.text.charAt(place.at);
  switch (place.expects) {
    case 'separator':
      return takeSeparator(place, character);
    case 'name_or_end':
      return character === '}' ? close(place) : takeName(place, character);
    case 'name':
      return takeName(place, character);
    case 'value_or_end':
      return character === ']' ? close(place) : takeValue(place, character);
    case 'value':
      return takeValue(place, character);
  }
}

function takeSeparator(place: Place, character: string): boolean {
  const container = place.open.at(-1);
  if (container === undefined) return false;
  if (character === (container === 'object' ? '}' : ']')) return close(place);
  if (character !== ',') return false;
  place.at += 1;
  place.expects = container === 'object' ? 'name' : 'value';
  return true;
}

function takeName(place: Place, character: string): boolean {
  if (character !== '"' || !takeString(place)) return false;
  skipWhile(place, isWhiteSpace);
  if (place.text.charAt(place.at) !== ':') return false;
  place.at += 1;
  place.expects = 'value';
  return true;
}

function takeValue(place: Place, character: string): boolean {
  if (character === '{' || character === '[') {
    place.open.push(character === '{' ? 'object' : 'array');
    place.expects = character === '{' ? 'name_or_end' : 'value_or_end';
    place.at += 1;
    return true;
  }
  place.expects = 'separator';
  if (character === '"') return takeString(place);
  if (isDigit(place.text.charCodeAt(place.at)) || character === '-') return takeNumber(place);
  return skip(place, LITERAL) > 0;
}

function takeNumber(place: Place): boolean {
  if (place.text.charAt(place.at) === '-') place.at += 1;
  const first = place.text.charAt(place.at);
  if (first === '0') place.at += 1;
  else if (skipWhile(place, isDigit) === 0) return false;
  if (place.text.charAt(place.at) === '.') {
    place.at += 1;
    if (skipWhile(place, isDigit) === 0) return false;
  }
  if (place.text.charAt(place.at).toLowerCase() !== 'e') return true;
  place.at += 1;
  if ('+-'.includes(place.text.charAt(place.at))) place.at += 1;
  return skipWhile(place, isDigit) > 0;
}

function takeString(place: Place): boolean {
  place.at += 1;
  for (;;) {
    skipWhile(place, isPlainCharacter);
    if (place.text.charAt(place.at) === '"') {
      place.at += 1;
      return true;
    }
    if (skip(place, ESCAPE) === 0) return false;
  }
}

function close(place: Place): boolean {
  place.open.pop();
  place.expects = 'separator';
  place.at += 1;
  return true;
}

/** Moves over characters of one kind, without a pattern: its stack would grow with the text. */
function skipWhile(place: Place, isWanted: (code: number) => boolean): number {
  const start = place.at;
  while (place.at < place.text.length && isWanted(place.text.charCodeAt(place.at))) place.at += 1;
  return place.at - start;
}

function isWhiteSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function isPlainCharacter(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Moves over a match at the current place; returns its length. */
function skip(place: Place, pattern: RegExp): number {
  pattern.lastIndex = place.at;
  const length = pattern.exec(place.text)?.[0].length ?? 0;
  place.at += length;
  return length;
}
