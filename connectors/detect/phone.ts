import { DIGIT, isAt, LETTER, SPACER } from './characters.ts';
import { digitsOf, isNumberEnd, isNumberStart, type DigitGroups } from './numbers.ts';

const LEAST_DIGITS = 8;
/** ITU-T E.164 section 6.2.1. */
const MOST_DIGITS = 15;
const MOST_NATIONAL_DIGITS = 12;
const LONGEST_NUMBER = 26;
const LONGEST_BEHIND_BRACKET = 16;

interface PhoneNumber {
  readonly start: number;
  readonly end: number;
}

/** The end of the international number whose plus sign is at `at`: +, then a country code that begins with no zero. */
export function endOfInternational(text: string, at: number): number | undefined {
  if (!isAt(text, at + 1, DIGIT) || text.charAt(at + 1) === '0') return undefined;
  const before = text.charAt(at - 1);
  if (isAt(text, at - 1, DIGIT | LETTER) || before === '+' || before === ')') return undefined;
  const { end, count } = readSpread(text, at + 1, LONGEST_NUMBER);
  return count >= LEAST_DIGITS && count <= MOST_DIGITS && isNumberEnd(text, end) ? end : undefined;
}

/**
 * Digits from `from` on, with the single signs that phone numbers have between them; `end` is behind the last digit.
 */
function readSpread(
  text: string,
  from: number,
  most: number,
): { readonly end: number; readonly count: number } {
  let end = from;
  let count = 0;
  for (let at = from; at < from + most && count <= MOST_DIGITS; at += 1) {
    if (isAt(text, at, DIGIT)) {
      count += 1;
      end = at + 1;
    } else if (!joins(text, at)) break;
  }
  return { end, count };
}

/** Recognises a blank, hyphen, dot or slash between digits, and brackets around some of them. */
function joins(text: string, at: number): boolean {
  const isDigitNext = isAt(text, at + 1, DIGIT);
  switch (text.charAt(at)) {
    case '(':
      return isDigitNext;
    case ')':
      return isAt(text, at - 1, DIGIT);
    case ' ':
      return isDigitNext || text.charAt(at + 1) === '(';
    default:
      return isDigitNext && isAt(text, at, SPACER);
  }
}

/** Sizes of the groups of numbers that begin with the zero for a call within a country. */
const TRUNK_FORM = /^(?:2,2,2,2,2|3,4,4|4,3,4|5,3,3|5,6|3,3,4|4,3,3)$/;

/** The national number of these groups; `isNamed` says whether a word announces a number. */
export function findNational(
  text: string,
  groups: DigitGroups,
  isNamed: () => boolean,
): PhoneNumber | undefined {
  const { start, sizes, separators, ends } = groups;
  const bracketed = findBracketed(text, groups);
  if (bracketed !== undefined) return bracketed;
  const end = ends.at(-1) ?? start;
  const isEven = separators !== '' && separators === separators.charAt(0).repeat(separators.length);
  if (!isEven || !isNumberEnd(text, end)) return undefined;
  const digits = digitsOf(text, start, end);
  const form = sizes.join();
  const isOne =
    isNorthAmerican(digits, form, separators) ||
    isTrunk(digits, form, separators) ||
    (digits.length >= LEAST_DIGITS - 1 && digits.length <= MOST_DIGITS && isNamed());
  return isOne ? { start, end } : undefined;
}

/**
 * Area codes begin with 2 to 9. Blanks and dots also separate other figures, so there the exchange must begin so too.
 */
function isNorthAmerican(digits: string, form: string, separators: string): boolean {
  const hasCountry = form === '1,3,3,4' && digits.startsWith('1');
  if (form !== '3,3,4' && !hasCountry) return false;
  const [area, exchange] = hasCountry ? [1, 4] : [0, 3];
  if (separators.startsWith('/') || digits.charAt(area) < '2') return false;
  return separators.startsWith('-') || digits.charAt(exchange) >= '2';
}

function isTrunk(digits: string, form: string, separators: string): boolean {
  if (!/^0[1-9]/.test(digits) || digits.length < 9 || digits.length > MOST_NATIONAL_DIGITS) return false;
  return separators === '/' || (!/[./]/.test(separators) && TRUNK_FORM.test(form));
}

/** Recognises `(555) 123-4567` and `(030) 123456`. */
function findBracketed(text: string, { start, ends }: DigitGroups): PhoneNumber | undefined {
  const first = ends[0] ?? start;
  const size = first - start;
  if (text.charAt(start - 1) !== '(' || text.charAt(first) !== ')' || size < 2 || size > 5) return undefined;
  if (!isNumberStart(text, start - 1)) return undefined;
  const from = text.charAt(first + 1) === ' ' ? first + 2 : first + 1;
  const { end, count } = readSpread(text, from, LONGEST_BEHIND_BRACKET);
  const isWhole = size + count >= LEAST_DIGITS && size + count <= MOST_NATIONAL_DIGITS && count >= 5;
  return isWhole && isNumberEnd(text, end) ? { start: start - 1, end } : undefined;
}
