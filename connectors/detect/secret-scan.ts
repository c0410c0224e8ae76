import type { SecretType } from '../../schemas/data-class.ts';
import { ALNUM, DIGIT, HEX, isAt, type EndOfRun } from './characters.ts';

/** One text that is searched for secrets. */
export interface SecretScan {
  readonly text: string;
  readonly endOfRun: EndOfRun;
  /** Ends of the searched text: `nearTo` around ids, `labelledTo` behind the last value of a label. */
  readonly searched: { nearTo: number; labelledTo: number };
  readonly add: (type: SecretType, start: number, end: number) => void;
}

/**
 * Recognises secrets that have a literal. `find` judges one place exactly. `mayStart` judges a place in raw bytes, one
 * character each, where the text may have escapes and any bytes around it: in protobuf the tag and the length of a field
 * may look like letters and digits. It returns true wherever `find` could find a secret, so it asks for no upper length
 * and for no border.
 */
export interface SecretDetector {
  readonly mayStart: (scan: Pick<SecretScan, 'text' | 'endOfRun'>, at: number, end: number) => boolean;
  readonly find: (scan: SecretScan, at: number, end: number) => void;
}

const LONGEST_COLOUR = 12;

/**
 * Whether a word may begin here. Behind an escape that was left in the text, a percent escape or a terminal's colour
 * code, a word begins as it does behind a blank.
 */
export function isWordStart(text: string, at: number): boolean {
  const before = at - 1;
  if (!isAt(text, before, ALNUM)) return true;
  if (text.charAt(before - 1) === '\\') return 'nrtbf'.includes(text.charAt(before));
  if (text.charAt(at - 3) === '%' && isAt(text, before, HEX) && isAt(text, before - 1, HEX)) return true;
  return text.charAt(before) === 'm' && endsColour(text, before);
}

function endsColour(text: string, at: number): boolean {
  for (let back = at - 1; back >= at - LONGEST_COLOUR; back -= 1) {
    if (text.charAt(back) === '[') return true;
    if (text.charAt(back) !== ';' && !isAt(text, back, DIGIT)) return false;
  }
  return false;
}
