import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

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
  if (isJsonObject(value)) return canonicalObject(value);
  return Array.isArray(value) ? `[${value.map(canonicalJson).join(',')}]` : JSON.stringify(value);
}

function canonicalObject(object: JsonObject): string {
  // Both `<` and Array.prototype.sort compare by UTF-16 code units, which is the order of RFC 8785 section 3.2.3.
  const names = Object.keys(object);
  if (!isRising(names)) names.sort();
  let members = '';
  for (const name of names) {
    const separator = members === '' ? '' : ',';
    members += `${separator}${canonicalString(name)}:${canonicalJson(object[name] ?? null)}`;
  }
  return `{${members}}`;
}

function isRising(names: readonly string[]): boolean {
  for (let place = 1; place < names.length; place += 1) {
    if ((names[place - 1] ?? '') > (names[place] ?? '')) return false;
  }
  return true;
}

/** Printable ASCII without quotation mark and backslash: characters that need no escape. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

function canonicalString(text: string): string {
  // Most strings are short and plain; for those the test is quicker than the serialiser.
  if (text.length < 100 && PLAIN_TEXT.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new RangeError('a lone surrogate has no canonical form');
  return JSON.stringify(text);
}

function canonicalInteger(number: number): string {
  if (!Number.isSafeInteger(number)) throw new RangeError('only safe integers have a canonical form here');
  return JSON.stringify(number);
}
