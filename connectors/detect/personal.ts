import { PERSONAL_TYPES, type PersonalType } from '../../schemas/data-class.ts';
import { createAnchorSearch, toBytes, type TextBytes } from './anchors.ts';
import { DIGIT, endOfSome, isAscii, isAt, SPACER, UPPER } from './characters.ts';
import { emailAround } from './email.ts';
import { settle, type Finding } from './finding.ts';
import { endOfIban } from './iban.ts';
import {
  findNamedPersonal,
  isPersonalName,
  PERSONAL_ANCHORS,
  type FindPersonal,
  type PersonalScan,
} from './labelled-personal.ts';
import { endOfSsn } from './national-id.ts';
import { isNumberStart, readDigitGroups } from './numbers.ts';
import { endOfCard } from './payment-card.ts';
import { endOfInternational, findNational } from './phone.ts';
import { endOfAddress, startOfPlace } from './postal-address.ts';

const searchAnchors = createAnchorSearch(PERSONAL_ANCHORS);

/**
 * Finds data about people in a text, in its order, without overlaps. `name` is the name of the member whose value the
 * text is. The time is linear in any text; the function never throws.
 */
export function findPersonal(text: string, name = ''): Finding<PersonalType>[] {
  const found: Finding<PersonalType>[] = [];
  const scan: PersonalScan = {
    text,
    add: (type, start, end) => void found.push({ type, start, end }),
  };
  const bytes = toBytes(text);
  findByCharacter(scan, bytes, name);
  searchAnchors(bytes, scan, findAt);
  if (name !== '' && text.length <= LONGEST_NAMED && isPersonalName(name)) findNamedPersonal(scan, name);
  return found.length === 0 ? found : settle(found, PERSONAL_TYPES);
}

const LONGEST_NAMED = 512;
const DIGIT_ZERO = 0x30;
const DIGIT_NINE = 0x39;
const AT_SIGN = 0x40;
const PLUS_SIGN = 0x2b;
const LETTER_A = 0x41;
const LETTER_Z = 0x5a;
const BLANK = 0x20;
const OPENING_BRACKET = 0x28;
const HYPHEN_CODE = 0x2d;
const SLASH = 0x2f;
const ZIP_DIGITS = 5;
const LEAST_PHONE_DIGITS = 7;

function findAt(scan: PersonalScan, find: FindPersonal, at: number, end: number): undefined {
  if (isAscii(scan.text, at, end)) find(scan, at, end);
}

/** Searches numbers and at signs; all other data needs a label. */
function findByCharacter(scan: PersonalScan, text: TextBytes, name: string): void {
  const { bytes, length } = text;
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[at] ?? 0;
    // Nearly all text has codes above this limit; the codes below are blanks and marks.
    if (byte > AT_SIGN || byte < PLUS_SIGN) continue;
    if (byte <= DIGIT_NINE && byte >= DIGIT_ZERO) {
      const end = endOfDigits(text, at);
      at = (mayBeNumber(text, at, end) ? Math.max(takeNumber(scan, at, name), end) : end) - 1;
    } else if (byte === AT_SIGN) takeEmail(scan, at);
    else if (byte === PLUS_SIGN) at = takeInternational(scan, at) - 1;
  }
}

function endOfDigits({ bytes, length }: TextBytes, from: number): number {
  let at = from + 1;
  while (at < length && isDigit(bytes[at])) at += 1;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_ZERO && byte <= DIGIT_NINE;
}

function isUpper(byte: number | undefined): boolean {
  return byte !== undefined && byte >= LETTER_A && byte <= LETTER_Z;
}

/** Whether digits could belong to a person's number, judged by the bytes around them; most cannot. */
function mayBeNumber({ bytes }: TextBytes, at: number, end: number): boolean {
  if (end - at >= LEAST_PHONE_DIGITS) return true;
  const before = bytes[at - 1];
  if (before === OPENING_BRACKET || isUpper(before)) return true;
  const next = bytes[end];
  if (isSpacer(next) && (isDigit(bytes[end + 1]) || isUpper(bytes[end + 1]))) return true;
  // This is a house number with a letter behind it, or a code behind a state.
  return (isUpper(next) && bytes[end + 1] === BLANK) || (end - at === ZIP_DIGITS && isUpper(bytes[at - 2]));
}

function isSpacer(byte: number | undefined): boolean {
  return byte === BLANK || (byte !== undefined && byte >= HYPHEN_CODE && byte <= SLASH);
}

function takeEmail({ text, add }: PersonalScan, at: number): void {
  const email = text.charAt(at) === '@' ? emailAround(text, at) : undefined;
  if (email !== undefined) add('email', email.start, email.end);
}

/** Returns where the search goes on. */
function takeInternational({ text, add }: PersonalScan, at: number): number {
  const end = text.charAt(at) === '+' ? endOfInternational(text, at) : undefined;
  if (end !== undefined) add('phone', at, end);
  return end ?? at + 1;
}

/** Judges the number that begins here; returns where the search goes on: behind the finding or behind the digits. */
function takeNumber(scan: PersonalScan, at: number, name: string): number {
  const { text, add } = scan;
  if (!isNumberStart(text, at)) {
    const end = isAt(text, at - 1, UPPER) ? endOfIban(text, at) : undefined;
    if (end !== undefined) add('iban', at - 2, end);
    return end ?? behindDigits(text, at);
  }
  const first = behindDigits(text, at);
  const found =
    (maySpread(text, at, first) ? judge(text, at, name) : undefined) ?? findPlace(text, at, first);
  if (found === undefined) return first;
  add(found.type, found.start, found.end);
  return found.end;
}

/** Whether there are many digits, or these are the first of several groups; most numbers are neither. */
function maySpread(text: string, at: number, first: number): boolean {
  if (text.charAt(at - 1) === '(' || first - at >= LEAST_PHONE_DIGITS) return true;
  if (!isAt(text, first, SPACER) || !isAt(text, first + 1, DIGIT)) return false;
  // One or two digits in the middle of a row of figures do not begin a number.
  return first - at > 2 || !isAt(text, at - 2, DIGIT);
}

function behindDigits(text: string, at: number): number {
  return endOfSome(text, at, DIGIT, text.length);
}

const MOST_PHONE_DIGITS = 15;
const WORD_REACH = 24;
const SSN_WORDS = /ssn|social.?security|tax.?id/i;
const PHONE_WORDS = /(?:tel|phone|mobile|cell|fax|call)[a-z ]{0,8}[ .:="'#-]{0,4}\(?$/i;

function judge(text: string, start: number, name: string): Finding<PersonalType> | undefined {
  const groups = readDigitGroups(text, start);
  const card = endOfCard(text, groups);
  if (card !== undefined) return { type: 'payment_card', start, end: card };
  let digitCount = 0;
  for (const size of groups.sizes) digitCount += size;
  if (digitCount > MOST_PHONE_DIGITS && text.charAt(start - 1) !== '(') return undefined;
  const before = () => `${name} ${text.slice(Math.max(start - WORD_REACH, 0), start)}`;
  const ssn = endOfSsn(text, groups, () => SSN_WORDS.test(before()));
  if (ssn !== undefined) return { type: 'us_ssn', start, end: ssn };
  const phone = findNational(text, groups, () => PHONE_WORDS.test(before()));
  return phone === undefined ? undefined : { type: 'phone', ...phone };
}

function findPlace(text: string, at: number, first: number): Finding<PersonalType> | undefined {
  const address = endOfAddress(text, at, first);
  if (address !== undefined) return { type: 'postal_address', start: at, end: address };
  const place = startOfPlace(text, at, first);
  return place === undefined ? undefined : { type: 'postal_address', start: place, end: first };
}
