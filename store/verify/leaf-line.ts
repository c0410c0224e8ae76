/** The parts that a leaf names, read from its line. */
import type { PartKind } from '../../schemas/bundle.ts';
import { RECORD_CLASSES, type RecordClass } from '../../schemas/retention.ts';
import {
  byteSet,
  endOfBase64UrlHash,
  endOfHash,
  endOfQuoted,
  endOfRun,
  endOfText,
  NO_MATCH,
} from './line-bytes.ts';

/** The members of a leaf that name its parts. A leaf of the head log has none. */
export interface LeafOfParts {
  readonly retention_class: RecordClass;
  /** Surrogate of the person; null where the leaf names none. */
  readonly subject: string | null;
  readonly parts: readonly { readonly name: PartKind; readonly digest: string }[];
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const LETTER = byteSet(LETTERS);
const DIGIT = byteSet(DIGITS);
const TYPE_CHARS = byteSet(`${LETTERS}${DIGITS}_`);
const PRINCIPAL_CHARS = byteSet(`${LETTERS}${DIGITS}-`);
/** Characters of the surrogate of a collector. */
const MAX_PRINCIPAL_LENGTH = 64;
const SOURCES = [
  '"hook"',
  '"otel"',
  '"gateway"',
  '"transcript"',
  '"forge"',
  '"identity"',
  '"native"',
  '"affidavit"',
];
const CLASSES = RECORD_CLASSES.map((name) => `"${name}"`);
/** An instant up to its seconds; each 0 stands for a digit. */
const INSTANT = '0000-00-00T00:00:00';
/** Digits of nanoseconds, the finest fraction of an instant. */
const MAX_FRACTION_DIGITS = 9;
/** Characters of a record type. */
const MAX_TYPE_LENGTH = 64;
const DIGEST_DIGITS = 43;
const SUBJECT_DIGITS = 22;
const BASE64URL = byteSet(`${LETTERS}${LETTERS.toUpperCase()}${DIGITS}-_`);
const LAST_OF_SUBJECT = byteSet('AQgw');
/** The text before the digest of a part. */
const DIGEST = '{"digest":';
const SMALL_N = 0x6e;
const DOT = 0x2e;
const ZERO = 0x30;

/**
 * Reads the line of a leaf byte by byte, without building its value: the canonical form fixes the order of the members, and
 * no member of a leaf needs an escape. It reads exactly the lines that `parseCanonical` takes for a leaf.
 */
export function readLeafLine(line: Buffer): LeafOfParts | undefined {
  const id = endOfText(line, 0, '{"id":');
  const parts = endOfText(line, endOfHash(line, id), ',"parts":[');
  const content = endOfText(line, parts, DIGEST);
  const contentEnd = endOfText(line, endOfBase64UrlHash(line, content), ',"name":"content"},');
  const facts = endOfText(line, contentEnd === NO_MATCH ? parts : contentEnd, DIGEST);
  const factsEnd = endOfText(line, endOfBase64UrlHash(line, facts), ',"name":"facts"}');
  const person = endOfText(line, factsEnd, `,${DIGEST}`);
  const personEnd = endOfText(line, endOfBase64UrlHash(line, person), ',"name":"person"}');
  const partsEnd = endOfText(line, personEnd === NO_MATCH ? factsEnd : personEnd, ']');
  const principal = endOfText(line, partsEnd, ',"principal":');
  const receivedAt = endOfText(line, endOfPrincipal(line, principal), ',"received_at":"');
  const retentionClass = endOfText(line, endOfInstant(line, receivedAt), '","retention_class":');
  const classEnd = endOfAny(line, retentionClass, CLASSES);
  const source = endOfText(line, classEnd, ',"source":');
  const subject = endOfText(line, endOfAny(line, source, SOURCES), ',"subject":');
  const subjectEnd = endOfSubjectOrNull(line, subject);
  const type = endOfText(line, subjectEnd, ',"type":"');
  const end = endOfText(line, endOfType(line, type), '","v":1}');
  if (end !== line.length) return undefined;
  return {
    parts: [
      ...(contentEnd === NO_MATCH ? [] : [{ digest: digestAt(line, content), name: 'content' as const }]),
      { digest: digestAt(line, facts), name: 'facts' as const },
      ...(personEnd === NO_MATCH ? [] : [{ digest: digestAt(line, person), name: 'person' as const }]),
    ],
    retention_class: line.toString('latin1', retentionClass + 1, classEnd - 1) as RecordClass,
    subject: line[subject] === SMALL_N ? null : line.toString('latin1', subject + 1, subjectEnd - 1),
  };
}

function digestAt(line: Buffer, at: number): string {
  return line.toString('latin1', at + 1, at + 1 + DIGEST_DIGITS);
}

function endOfPrincipal(line: Buffer, at: number): number {
  const end = endOfQuoted(line, at, PRINCIPAL_CHARS);
  const length = end - at - 2;
  return length >= 1 && length <= MAX_PRINCIPAL_LENGTH ? end : NO_MATCH;
}

/** 16 bytes as base64url: the last of 22 characters holds two bits. */
function endOfSubjectOrNull(line: Buffer, at: number): number {
  if (line[at] === SMALL_N) return endOfText(line, at, 'null');
  const end = endOfQuoted(line, at, BASE64URL);
  const isWhole = end - at === SUBJECT_DIGITS + 2 && LAST_OF_SUBJECT[line[end - 2] ?? 0] === 1;
  return isWhole ? end : NO_MATCH;
}

/** RFC 3339 in UTC, of a day and a second that exist, with up to nine digits of a second. */
function endOfInstant(line: Buffer, at: number): number {
  if (at === NO_MATCH) return NO_MATCH;
  for (let offset = 0; offset < INSTANT.length; offset += 1) {
    const byte = line[at + offset] ?? 0;
    const asked = INSTANT.charCodeAt(offset);
    if (asked === ZERO ? DIGIT[byte] !== 1 : byte !== asked) return NO_MATCH;
  }
  if (!isInCalendar(line, at)) return NO_MATCH;
  const seconds = at + INSTANT.length;
  if (line[seconds] !== DOT) return endOfText(line, seconds, 'Z');
  const fraction = endOfRun(line, seconds + 1, DIGIT);
  const digits = fraction - seconds - 1;
  return digits >= 1 && digits <= MAX_FRACTION_DIGITS ? endOfText(line, fraction, 'Z') : NO_MATCH;
}

/** Days of each month in a leap year, from January on. */
const MONTH_DAYS: readonly number[] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether the digits of an instant name a day of the Gregorian calendar and a second of it. */
function isInCalendar(line: Buffer, at: number): boolean {
  const pair = (offset: number) => 10 * digitAt(line, at + offset) + digitAt(line, at + offset + 1);
  const year = 100 * pair(0) + pair(2);
  const month = pair(5);
  const day = pair(8);
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && !isLeapYear ? 28 : (MONTH_DAYS[month - 1] ?? 0);
  return day >= 1 && day <= days && pair(11) < 24 && pair(14) < 60 && pair(17) < 60;
}

function digitAt(line: Buffer, at: number): number {
  return (line[at] ?? ZERO) - ZERO;
}

function endOfAny(line: Buffer, at: number, words: readonly string[]): number {
  for (const word of words) {
    const end = endOfText(line, at, word);
    if (end !== NO_MATCH) return end;
  }
  return NO_MATCH;
}

/** Words that begin with a letter, with dots between them. */
function endOfType(line: Buffer, at: number): number {
  let end = at;
  do {
    const word = end === at ? at : end + 1;
    if (word === NO_MATCH || LETTER[line[word] ?? 0] !== 1) return NO_MATCH;
    end = endOfRun(line, word, TYPE_CHARS);
  } while (line[end] === DOT);
  return end - at <= MAX_TYPE_LENGTH ? end : NO_MATCH;
}
