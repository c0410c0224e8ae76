export type PersonalDataRule = 'ssn' | 'payment_card' | 'medical_record_number' | 'email_list';

/** From this many different addresses on, a text holds a list of people and not just a recipient. */
const LIST_LENGTH = 5;
/** RFC 2606 and RFC 6761: nobody's addresses. */
const RESERVED_DOMAINS = /(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost)$/;
const SSN = /(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/;
/** Nine digits without hyphens are a social security number only if a label says so. */
const LABELLED_SSN =
  /\b(?:ssn|social security (?:number|no\.?))[ \t]{0,3}[:#=]?[ \t]{0,3}(?!000|666|9)\d{3}[ -]?(?!00)\d{2}[ -]?(?!0000)\d{4}(?!\d)/i;
const MEDICAL_RECORD =
  /\b(?:mrn|medical record (?:number|no\.?|#))[ \t]{0,3}[:#=]?[ \t]{0,3}[a-z]{0,3}-?\d{5,12}(?!\d)/i;
/** First digits and lengths of the common schemes; the check digit decides. */
const CARD = /(?<![\w.-])(?:3[47]|3[068]|[456]\d|2[2-7])\d{1,2}(?:[ -]?\d){9,15}(?![\w-])/g;

/** The kinds of personal data in a text. The time is linear in its length: no pattern repeats without a bound. */
export function findPersonalData(text: string): PersonalDataRule[] {
  const rules: (PersonalDataRule | false)[] = [
    (SSN.test(text) || LABELLED_SSN.test(text)) && 'ssn',
    holdsCard(text) && 'payment_card',
    MEDICAL_RECORD.test(text) && 'medical_record_number',
    holdsEmailList(text) && 'email_list',
  ];
  return rules.filter((rule) => rule !== false);
}

function holdsCard(text: string): boolean {
  for (const [found] of text.matchAll(CARD)) {
    const digits = found.replaceAll(/[ -]/g, '');
    if (digits.length >= 13 && digits.length <= 19 && passesLuhn(digits)) return true;
  }
  return false;
}

/** ISO/IEC 7812-1 annex B. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits.charAt(digits.length - 1 - at));
    const weighted = at % 2 === 1 ? 2 * digit : digit;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0 && !/^(\d)\1*$/.test(digits);
}

function holdsEmailList(text: string): boolean {
  const found = new Set<string>();
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    // The windows are the longest parts that RFC 5321 section 4.5.3.1 allows.
    const name = /[A-Za-z0-9._%+-]{1,64}$/.exec(text.slice(Math.max(0, at - 64), at))?.[0];
    const domain = /^(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}/.exec(text.slice(at + 1, at + 256))?.[0];
    if (name === undefined || domain === undefined || RESERVED_DOMAINS.test(domain.toLowerCase())) continue;
    found.add(`${name}@${domain}`.toLowerCase());
    if (found.size >= LIST_LENGTH) return true;
  }
  return false;
}
