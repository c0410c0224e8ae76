import { PipelineError } from '../../schemas/errors.ts';
import { isJsonObject, type JsonValue } from '../../schemas/json.ts';
import type { QuarantineReason } from '../source.ts';
import { findProblems } from './exact-scan.ts';
import { locateInvalidUtf8, locateSyntaxError, describePlace } from './malformed.ts';
import { isExactNumber, endOfNumber, endOfString } from './tokens.ts';

/** Containers may nest this deep, the root being the first; deeper text is kept but not sealed as what it claims. */
export const MAX_JSON_DEPTH = 64;

/** Why a place of the text has no exact canonical form. */
export interface JsonProblem {
  /** RFC 6901; a member name longer than 200 characters is cut in it. */
  readonly pointer: string;
  readonly reason: QuarantineReason;
}

export interface StrictJson {
  readonly text: string;
  readonly value: JsonValue;
  /** In order of the text. Members away from these places are what the text says, exactly. */
  readonly problems: readonly JsonProblem[];
}

/**
 * Parses JSON text of an untrusted sender and names each place that canonical JSON could not reproduce: a repeated
 * member name, a lone surrogate, a number that a double does not hold exactly, nesting beyond MAX_JSON_DEPTH.
 * Linear in the length of the text, whatever it holds; never recursive.
 *
 * Throws BODY_MALFORMED with the place as `line L column C (byte N)` if the bytes are not UTF-8 or not JSON.
 */
export function parseStrict(bytes: Uint8Array): StrictJson {
  const text = decodeUtf8(bytes);
  const value = parseText(text);
  return { text, value, problems: isPlain(text, value) ? [] : findProblems(text, MAX_JSON_DEPTH) };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const offset = locateInvalidUtf8(bytes);
    const before = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, offset));
    const place = describePlace(before, before.length);
    throw new PipelineError('BODY_MALFORMED', 'the body is not valid UTF-8', { place, cause });
  }
}

function parseText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The engine's message quotes the body, so it is not kept as the cause.
    const place = describePlace(text, locateSyntaxError(text));
    throw new PipelineError('BODY_MALFORMED', 'the body is not valid JSON', { place });
  }
}

/**
 * The quick answer for nearly every body: one pass over the text outside strings, one over the value. A repeated
 * name shows as more colons in the text than members in the value; only then is the exact scan worth its sets.
 */
function isPlain(text: string, value: JsonValue): boolean {
  if (/\\u[dD][89a-fA-F]/.test(text)) return false;
  const survey = surveyText(text);
  return survey?.colons === countMembers(value);
}

/** Colons outside strings, or undefined as soon as depth or a number calls for the exact scan. */
function surveyText(text: string): { readonly colons: number } | undefined {
  let colons = 0;
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at);
      continue;
    }
    if (isNumberStart(code)) {
      const end = endOfNumber(text, at);
      if (end - at > 15 && !isExactNumber(text.slice(at, end))) return undefined;
      if (end - at <= 15 && !isShortExact(text, at, end)) return undefined;
      at = end;
      continue;
    }
    if (code === 0x3a) colons += 1;
    else depth += nesting(code);
    if (depth > MAX_JSON_DEPTH) return undefined;
    at += 1;
  }
  return { colons };
}

/** Fifteen significant digits survive a double; an exponent may still leave its range. */
function isShortExact(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    if ((text.charCodeAt(at) | 0x20) === 0x65) return isExactNumber(text.slice(from, to));
  }
  return true;
}

function isNumberStart(code: number): boolean {
  return code === 0x2d || (code >= 0x30 && code <= 0x39);
}

function nesting(code: number): number {
  if (code === 0x7b || code === 0x5b) return 1;
  return code === 0x7d || code === 0x5d ? -1 : 0;
}

function countMembers(root: JsonValue): number {
  const open: JsonValue[] = [root];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const members: readonly JsonValue[] = Array.isArray(next)
      ? next
      : isJsonObject(next)
        ? Object.values(next)
        : [];
    if (!Array.isArray(next)) count += members.length;
    for (const member of members) {
      if (typeof member === 'object' && member !== null) open.push(member);
    }
  }
  return count;
}
