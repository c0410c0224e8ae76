import { digitsOf, isNumberEnd, type DigitGroups } from './numbers.ts';

interface Issuer {
  /** First digits, from and to, both included. */
  readonly from: number;
  readonly to: number;
  readonly lengths: readonly number[];
}

/** Ranges of ISO/IEC 7812 that issuers of payment cards use, by their first four digits. */
const ISSUERS: readonly Issuer[] = [
  { from: 4000, to: 4999, lengths: [13, 16, 19] },
  { from: 5100, to: 5599, lengths: [16] },
  { from: 2221, to: 2720, lengths: [16] },
  { from: 3400, to: 3499, lengths: [15] },
  { from: 3700, to: 3799, lengths: [15] },
  { from: 6011, to: 6011, lengths: [16, 19] },
  { from: 6440, to: 6599, lengths: [16, 19] },
  { from: 3000, to: 3059, lengths: [14, 16] },
  { from: 3600, to: 3699, lengths: [14, 16] },
  { from: 3800, to: 3999, lengths: [14, 16] },
  { from: 3528, to: 3589, lengths: [16, 19] },
  { from: 6200, to: 6299, lengths: [16, 17, 18, 19] },
];

const LEAST_DIGITS = 13;
const MOST_DIGITS = 19;
const LEAST_GROUP = 3;

/**
 * The end of the payment card number that begins with these groups: 13 to 19 digits without separators, or with blanks
 * or hyphens between groups of three to seven, in an issued range, with a correct check digit (ISO/IEC 7812-1 annex B).
 */
export function endOfCard(text: string, { start, sizes, separators, ends }: DigitGroups): number | undefined {
  if ((sizes[0] ?? 0) < LEAST_GROUP) return undefined;
  for (let count = sizes.length; count > 0; count -= 1) {
    const end = ends[count - 1] ?? start;
    if (!areGrouped(sizes.slice(0, count), separators.slice(0, count - 1))) continue;
    const isCut = count === sizes.length ? isNumberEnd(text, end) : separators.charAt(count - 1) === ' ';
    if (isCut && isCard(digitsOf(text, start, end))) return end;
  }
  return undefined;
}

function areGrouped(sizes: readonly number[], separators: string): boolean {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total < LEAST_DIGITS || total > MOST_DIGITS) return false;
  if (sizes.length === 1) return true;
  const [separator = ''] = separators;
  if (!' -'.includes(separator) || separators !== separator.repeat(separators.length)) return false;
  return sizes.every((size, index) => size <= 7 && size >= (index === sizes.length - 1 ? 1 : LEAST_GROUP));
}

function isCard(digits: string): boolean {
  const head = Number(digits.slice(0, 4));
  const isIssued = ISSUERS.some(
    ({ from, to, lengths }) => head >= from && head <= to && lengths.includes(digits.length),
  );
  return isIssued && hasCheckDigit(digits);
}

function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - place) - 0x30;
    const doubled = place % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
