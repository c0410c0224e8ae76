/** Digits, point, signs and exponent letters. */
export function isNumberPart(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  return code === 0x2e || code === 0x2d || code === 0x2b || code === 0x65 || code === 0x45;
}

/**
 * Whether a double carries the value of a JSON number token exactly, in the sense that its shortest decimal form,
 * which is what `toHashable` writes, names the same value: true of 0.1, 1e21 and 1795248800000000000; false of
 * 9007199254740993, 1e400 and 0.1000000000000000055.
 */
export function isExactNumber(token: string): boolean {
  const number = Number(token);
  if (!Number.isFinite(number)) return false;
  const claimed = decimalForm(token);
  const held = decimalForm(String(number));
  return claimed.digits === held.digits && claimed.exponent === held.exponent && claimed.sign === held.sign;
}

interface DecimalForm {
  readonly sign: string;
  /** Significant digits without leading or trailing zeros; '' for zero. */
  readonly digits: string;
  /** Power of ten of the last digit. */
  readonly exponent: number;
}

const ZERO: DecimalForm = { sign: '', digits: '', exponent: 0 };

function decimalForm(token: string): DecimalForm {
  const sign = token.startsWith('-') ? '-' : '';
  const [mantissa = '', power = '0'] = token.slice(sign.length).split(/[eE]/, 2);
  const [whole = '', fraction = ''] = mantissa.split('.', 2);
  const all = whole + fraction;
  const from = countLeadingZeros(all);
  if (from === all.length) return ZERO;
  const to = all.length - countTrailingZeros(all);
  return { sign, digits: all.slice(from, to), exponent: Number(power) - fraction.length + (all.length - to) };
}

function countLeadingZeros(digits: string): number {
  let count = 0;
  while (digits.charCodeAt(count) === 0x30) count += 1;
  return count;
}

function countTrailingZeros(digits: string): number {
  let count = 0;
  while (digits.charCodeAt(digits.length - 1 - count) === 0x30) count += 1;
  return count;
}
