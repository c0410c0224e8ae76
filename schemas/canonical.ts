import { isJsonObject, type JsonValue } from './json.ts';

/**
 * Canonical JSON text of a value (RFC 8785, restricted to safe integers): no white space, members sorted by
 * UTF-16 code units, ECMAScript string escapes.
 *
 * Throws RangeError for what cannot be hashed exactly: a number that is not a safe integer, a lone surrogate.
 * Callers convert with `toHashable` first, so a throw is a defect of the caller, never of the input.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number') return canonicalInteger(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  // Array.prototype.sort compares strings by UTF-16 code units, which is the order of RFC 8785 section 3.2.3.
  const names = Object.keys(value).sort();
  const members = names.map((name) => `${canonicalString(name)}:${canonicalJson(value[name] ?? null)}`);
  return `{${members.join(',')}}`;
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new RangeError('a lone surrogate has no canonical form');
  return JSON.stringify(text);
}

function canonicalInteger(number: number): string {
  if (!Number.isSafeInteger(number)) throw new RangeError('only safe integers have a canonical form here');
  return JSON.stringify(number);
}
