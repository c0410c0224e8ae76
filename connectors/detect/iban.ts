import { ALNUM, DIGIT, isAt, UPPER, WORD } from './characters.ts';

/** Length by country, from the registry of ISO 13616. */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 ' +
    'FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 ' +
    'LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 ' +
    'SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** The end of the IBAN whose check digits begin at `digitsAt`; undefined if there is no IBAN. */
export function endOfIban(text: string, digitsAt: number): number | undefined {
  const start = digitsAt - 2;
  if (start < 0 || isAt(text, start - 1, WORD)) return undefined;
  const length = LENGTHS[text.slice(start, digitsAt)];
  if (length === undefined || !isAt(text, digitsAt + 1, DIGIT)) return undefined;
  const last = endOfCharacters(text, start, length);
  if (last === undefined || isAt(text, last, ALNUM)) return undefined;
  const rest = remainder(remainder(0, text, digitsAt + 2, last), text, start, digitsAt + 2);
  return rest === 1 ? last : undefined;
}

/** The end of so many capitals and digits, with a blank behind each fourth as on paper, or without blanks. */
function endOfCharacters(text: string, start: number, length: number): number | undefined {
  let count = 0;
  let at = start;
  for (; count < length; at += 1) {
    if (isAt(text, at, UPPER | DIGIT)) count += 1;
    else if (text.charAt(at) !== ' ' || count % 4 !== 0 || text.charAt(at - 1) === ' ') return undefined;
  }
  return at;
}

const ZERO = 0x30;
/** Subtracted from a letter's code, so that A counts as 10. */
const LETTERS_BEFORE = 0x41 - 10;

/** ISO 7064, mod 97-10: letters count as 10 to 35; the first four characters come last. */
function remainder(before: number, text: string, from: number, to: number): number {
  let rest = before;
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (isAt(text, at, DIGIT)) rest = (rest * 10 + code - ZERO) % 97;
    else if (isAt(text, at, UPPER)) rest = (rest * 100 + code - LETTERS_BEFORE) % 97;
  }
  return rest;
}
