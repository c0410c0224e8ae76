/**
 * How long the records of one envelope are. An envelope is acknowledged before it is expanded, so records that no text
 * and no bundle can hold must be found before they are sealed. Pure.
 */
import type { JsonValue } from '../schemas/json.ts';
import type { AuditRecord } from '../schemas/record.ts';

/** Characters that the parts of one record may have in canonical form. */
export const MAX_RECORD_LENGTH = 128 * 1024 * 1024;
/** Characters that the records of one envelope may have in canonical form beyond the bytes of its body. */
export const MAX_ADDED_LENGTH = 128 * 1024 * 1024;

/** Characters of the longest escape of one character, as in `\u0001`. */
const LONGEST_ESCAPE = 6;
/** Quotes or brackets, and the sign behind a value or a name. */
const SIGNS = 3;

type MeasureText = (text: string) => number;

/** The length of a record without the escapes in its texts; NaN for a record that has no canonical form. */
export function plainLengthOf(record: AuditRecord): number {
  return lengthOf(record, (text) => text.length);
}

/** Whether records, which together have this plain length, are within the limits of an envelope. */
export function isWithinLimits(
  records: readonly AuditRecord[],
  plainLength: number,
  bodyBytes: number,
): boolean {
  const most = MAX_ADDED_LENGTH + bodyBytes;
  if (plainLength > most) return false;
  // Nearly every envelope is so small that no escape needs to be counted.
  if (plainLength * LONGEST_ESCAPE <= MAX_RECORD_LENGTH) return true;
  let total = 0;
  return records.every((record) => {
    const length = lengthOf(record, (text) => JSON.stringify(text).length);
    total += length;
    return length <= MAX_RECORD_LENGTH && total <= most;
  });
}

function lengthOf({ facts, person, content }: AuditRecord, textLength: MeasureText): number {
  return measure(facts, textLength) + measure(person, textLength) + measure(content, textLength);
}

/** NaN, which each sum keeps, for a value that canonical JSON cannot hold. */
function measure(value: JsonValue, textLength: MeasureText): number {
  if (typeof value === 'string') return value.isWellFormed() ? textLength(value) + SIGNS : NaN;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value).length + 1 : NaN;
  if (value === null || typeof value === 'boolean') return String(value).length + 1;
  if (typeof value !== 'object') return NaN;
  let length = SIGNS;
  if (Array.isArray(value)) {
    for (const element of value as readonly JsonValue[]) length += measure(element, textLength);
    return length;
  }
  const object = value as Readonly<Record<string, JsonValue>>;
  for (const name of Object.keys(object)) {
    length += measure(name, textLength) + measure(object[name] ?? null, textLength);
  }
  return length;
}
