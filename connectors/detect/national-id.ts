import { digitsOf, isNumberEnd, type DigitGroups } from './numbers.ts';

/**
 * The end of the US social security number that begins with these groups: three, two and four digits with hyphens or
 * blanks between, or nine together. The areas 000, 666 and 900 to 999, group 00 and serial 0000 were never issued.
 */
export function endOfSsn(text: string, groups: DigitGroups, isNamed: () => boolean): number | undefined {
  const { start, ends } = groups;
  const end = isSeparated(groups, isNamed) ? ends[2] : isWhole(groups) && isNamed() ? ends[0] : undefined;
  if (end === undefined || !isNumberEnd(text, end)) return undefined;
  return isIssued(digitsOf(text, start, end)) ? end : undefined;
}

function isSeparated({ sizes, separators }: DigitGroups, isNamed: () => boolean): boolean {
  if (sizes.length !== 3 || sizes[0] !== 3 || sizes[1] !== 2 || sizes[2] !== 4) return false;
  return separators === '--' || (separators === '  ' && isNamed());
}

function isWhole({ sizes }: DigitGroups): boolean {
  return sizes.length === 1 && sizes[0] === 9;
}

function isIssued(digits: string): boolean {
  const area = digits.slice(0, 3);
  if (area === '000' || area === '666' || area.startsWith('9')) return false;
  return digits.slice(3, 5) !== '00' && digits.slice(5) !== '0000';
}
