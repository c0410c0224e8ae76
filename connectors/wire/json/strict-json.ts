import { isAscii, isUtf8 } from 'node:buffer';
import { PipelineError } from '../../../schemas/errors.ts';
import { isJsonObject, type JsonValue } from '../../../schemas/json.ts';
import { toBuffer } from '../body.ts';
import { isExactNumber, isNumberPart } from './numbers.ts';
import { describePlace, locateInvalidUtf8 } from './places.ts';
import { findProblems, type JsonProblem, type TextRange } from './problems.ts';
import { isDigit, JsonScanner } from './scan.ts';

/** Levels of containers, the root included. Deeper text is kept in quarantine. */
export const MAX_JSON_DEPTH = 64;

export interface StrictJson {
  readonly text: string;
  /** A container beyond the depth is null. */
  readonly value: JsonValue;
  /** In order of the text. Members away from these places are what the text says, exactly. */
  readonly problems: readonly JsonProblem[];
}

/**
 * Parses JSON text of an untrusted sender and names each place that canonical JSON could not reproduce: a repeated
 * member name, a lone surrogate, a number that a double does not hold exactly, nesting beyond MAX_JSON_DEPTH.
 * Linear in the length of the text, whatever it holds; never recurses beyond that depth.
 *
 * Throws BODY_MALFORMED with the place as `line L column C (byte N)` if the bytes are not UTF-8 or not JSON.
 */
export function parseStrict(bytes: Uint8Array): StrictJson {
  const buffer = toBuffer(bytes);
  const text = decodeUtf8(buffer);
  const colons = mayHoldSurrogate(text) ? undefined : surveyBytes(buffer);
  if (colons === undefined) return parseExactly(text);
  const value = parseText(text);
  // A repeated name shows as more colons in the text than members in the value.
  const problems = colons === countMembers(value) ? [] : findProblems(text, MAX_JSON_DEPTH).problems;
  return { text, value, problems };
}

/** Searches the text before it is parsed, so that no container beyond the depth is ever built. */
function parseExactly(text: string): StrictJson {
  const { problems, tooDeep, invalidAt } = findProblems(text, MAX_JSON_DEPTH);
  if (invalidAt !== undefined) throw notJson(text, invalidAt);
  return { text, value: parseText(withoutRanges(text, tooDeep)), problems };
}

/** The text with `null` at these places. The value there is not read, because it has a problem. */
function withoutRanges(text: string, ranges: readonly TextRange[]): string {
  let kept = '';
  let from = 0;
  for (const range of ranges) {
    kept += `${text.slice(from, range.from)}null`;
    from = range.to;
  }
  return kept + text.slice(from);
}

/** ASCII needs no decoding and makes text of one byte a character, which all that follows reads faster. */
function decodeUtf8(buffer: Buffer): string {
  if (isAscii(buffer)) return buffer.toString('latin1');
  if (isUtf8(buffer)) return buffer.toString('utf8');
  const offset = locateInvalidUtf8(buffer);
  const before = buffer.toString('utf8', 0, offset);
  const place = describePlace(before, before.length);
  throw new PipelineError('BODY_MALFORMED', 'the body is not valid UTF-8', { place });
}

function parseText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The engine's message quotes the body, so it is not kept as the cause.
    throw notJson(text, locateSyntaxError(text));
  }
}

function notJson(text: string, at: number): PipelineError {
  const place = describePlace(text, at);
  return new PipelineError('BODY_MALFORMED', 'the body is not valid JSON', { place });
}

/** Index of the first character that cannot continue JSON text; the length of the text if it merely ends early. */
function locateSyntaxError(text: string): number {
  const scanner = new JsonScanner(text);
  for (;;) {
    const token = scanner.next();
    if (token === 'invalid' || token === 'end') return scanner.from;
  }
}

/**
 * With `surveyBytes` and `countMembers` the quick answer for nearly every body: one pass over the bytes, one over the
 * value. Only where it fails is the exact search worth its sets.
 */
function mayHoldSurrogate(text: string): boolean {
  return text.includes('\\u') && /\\u[dD][89a-fA-F]/.test(text);
}

/**
 * Colons outside strings, or undefined as soon as depth or a number calls for the exact scan. Bytes are quicker to
 * walk than text, and no byte of a longer UTF-8 sequence looks like one of JSON's own characters.
 */
function surveyBytes(bytes: Buffer): number | undefined {
  let colons = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x22) at = closingQuote(bytes, at);
    else if (byte === 0x3a) colons += 1;
    else if (isNumberStart(byte)) {
      const end = numberEnd(bytes, at);
      if (!isExactAt(bytes, at, end)) return undefined;
      at = end - 1;
    } else {
      depth += nesting(byte);
      if (depth > MAX_JSON_DEPTH) return undefined;
    }
  }
  return colons;
}

function closingQuote(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
  return at;
}

function numberEnd(bytes: Buffer, start: number): number {
  let end = start + 1;
  while (end < bytes.length && isNumberPart(bytes[end] ?? 0)) end += 1;
  return end;
}

/** Fifteen significant digits survive a double, unless an exponent leaves its range. */
function isExactAt(bytes: Buffer, from: number, to: number): boolean {
  let isShort = to - from <= 15;
  for (let at = from; isShort && at < to; at += 1) isShort = ((bytes[at] ?? 0) | 0x20) !== 0x65;
  return isShort || isExactNumber(bytes.toString('latin1', from, to));
}

function isNumberStart(code: number): boolean {
  return code === 0x2d || isDigit(code);
}

function nesting(code: number): number {
  if (code === 0x7b || code === 0x5b) return 1;
  return code === 0x7d || code === 0x5d ? -1 : 0;
}

/** Recursive, because the survey has bounded the depth before. */
function countMembers(value: JsonValue): number {
  let count = 0;
  if (isJsonObject(value)) {
    // Counting by `in` makes no list of names; a name that comes from a prototype only calls for the exact scan.
    for (const name in value) {
      const member = value[name];
      count += 1 + (typeof member === 'object' ? countMembers(member) : 0);
    }
  } else if (Array.isArray(value)) {
    for (const element of value as readonly JsonValue[]) {
      if (typeof element === 'object') count += countMembers(element);
    }
  }
  return count;
}

/** The value of JSON text; anything else, and text that does not parse or could not be hashed, as it is. */
export function parsedText(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    const { value: parsed, problems } = parseStrict(Buffer.from(value));
    return problems.length === 0 ? parsed : value;
  } catch (error) {
    if (error instanceof PipelineError) return value;
    throw error;
  }
}
