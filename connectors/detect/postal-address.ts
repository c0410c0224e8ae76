import { DIGIT, isAt, UPPER } from './characters.ts';

const SUFFIXES =
  'Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Parkway|Pkwy|Highway|Hwy|Circle|Crescent|Close';
const STATES =
  'A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]';

/** The text behind a house number: one to four words with a capital or an ordinal; the last names a kind of street. */
const STREET = new RegExp(
  `[A-Z]?[ ](?:(?:[NSEW]\\.?|[A-Z][a-zA-Z'.-]{1,20}|[0-9]{1,3}(?:st|nd|rd|th))[ ]){1,4}(?:${SUFFIXES})\\b\\.?`,
  'y',
);
/** Flat, place, state and code, each if it follows. */
const REST = new RegExp(
  `(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|#)\\.? ?[A-Za-z0-9-]{1,6})?` +
    `(?:,? [A-Z][A-Za-z'.-]{1,20}(?: [A-Z][A-Za-z'.-]{1,20}){0,2},? (?:${STATES}) [0-9]{5}(?:-[0-9]{4})?)?`,
  'y',
);
const HOUSE_DIGITS = 6;
/** Place, state and code without a street before them. */
const PLACE = new RegExp(
  `(?:^|[^A-Za-z])([A-Z][A-Za-z'.-]{1,20}(?: [A-Z][A-Za-z'.-]{1,20}){0,2}, (?:${STATES}) )$`,
);
const PLACE_REACH = 72;

/** The end of the address whose house number is [start, numberEnd). */
export function endOfAddress(text: string, start: number, numberEnd: number): number | undefined {
  const wordAt = isAt(text, numberEnd, UPPER) ? numberEnd + 1 : numberEnd;
  if (
    numberEnd - start > HOUSE_DIGITS ||
    text.charAt(wordAt) !== ' ' ||
    !isAt(text, wordAt + 1, UPPER | DIGIT)
  ) {
    return undefined;
  }
  const end = endOfMatch(STREET, text, numberEnd);
  return end === undefined ? undefined : (endOfMatch(REST, text, end) ?? end);
}

/** The beginning of the place before a state and the ZIP code [start, end). */
export function startOfPlace(text: string, start: number, end: number): number | undefined {
  if (end - start !== 5 || text.charAt(start - 1) !== ' ' || !isAt(text, start - 2, UPPER)) return undefined;
  if (text.charAt(start - 4) !== ' ' || text.charAt(start - 5) !== ',') return undefined;
  const place = PLACE.exec(text.slice(Math.max(start - PLACE_REACH, 0), start))?.[1];
  return place === undefined ? undefined : start - place.length;
}

function endOfMatch(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match === null ? undefined : at + match[0].length;
}
