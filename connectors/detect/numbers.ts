import { ALNUM, DIGIT, isAt, JOINT, SPACER, WORD } from './characters.ts';

/** Adjacent groups of digits with one separating character between them. */
export interface DigitGroups {
  readonly sizes: readonly number[];
  /** One character for each gap between two groups. */
  readonly separators: string;
  /** Where each group ends. */
  readonly ends: readonly number[];
  readonly start: number;
}

const MOST_GROUPS = 8;
const LONGEST_GROUP = 20;

/** Reads the groups from `start` on, where one begins. No reported group is longer than LONGEST_GROUP. */
export function readDigitGroups(text: string, start: number): DigitGroups {
  const sizes: number[] = [];
  const ends: number[] = [];
  let separators = '';
  let at = start;
  while (sizes.length < MOST_GROUPS) {
    const end = endOfDigits(text, at);
    sizes.push(end - at);
    ends.push(end);
    if (end - at >= LONGEST_GROUP || !isAt(text, end, SPACER) || !isAt(text, end + 1, DIGIT)) break;
    separators += text.charAt(end);
    at = end + 1;
  }
  return { sizes, separators, ends, start };
}

function endOfDigits(text: string, from: number): number {
  let at = from;
  while (at - from < LONGEST_GROUP && isAt(text, at, DIGIT)) at += 1;
  return at;
}

/** The digits between two places. */
export function digitsOf(text: string, from: number, to: number): string {
  let digits = '';
  for (let at = from; at < to; at += 1) if (isAt(text, at, DIGIT)) digits += text.charAt(at);
  return digits;
}

/** Whether a number begins here. A part of an id, a version or a fraction does not count. */
export function isNumberStart(text: string, at: number): boolean {
  const before = at - 1;
  if (isAt(text, before, WORD))
    return text.charAt(before - 1) === '\\' && 'nrt'.includes(text.charAt(before));
  if (!isAt(text, before, JOINT)) return true;
  // A label can be followed by its number without a blank.
  return !isAt(text, before - 1, text.charAt(before) === ':' ? DIGIT : ALNUM);
}

/** Whether a number ends here, because the following text does not continue it. */
export function isNumberEnd(text: string, end: number): boolean {
  if (isAt(text, end, WORD)) return false;
  return !isAt(text, end, JOINT) || !isAt(text, end + 1, ALNUM);
}
