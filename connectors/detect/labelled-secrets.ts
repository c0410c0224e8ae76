import type { SecretType } from '../../schemas/data-class.ts';
import type { Anchor } from './anchors.ts';
import {
  ALNUM,
  bitsPerCharacter,
  DIGIT,
  hasAny,
  HYPHEN,
  isAt,
  LETTER,
  PLAIN,
  QUOTABLE,
  WORD,
  type EndOfRun,
} from './characters.ts';
import { isPlaceholder } from './placeholders.ts';
import { isAwsSecret } from './prefixed-secrets.ts';
import type { SecretDetector, SecretScan } from './secret-scan.ts';

/** Secrets without a recognisable form, which the name before them identifies. */

const LABELS = [
  ...['password', 'passwd', 'passphrase', '_pass', 'secret', 'token'],
  ...['apikey', 'api_key', 'api-key', 'api key', 'access_key', 'access-key', 'accesskey', 'private_key'],
];

/** Suffixes with which a label still counts: `secret_access_key`, `secretKey`; a digit, as in `password2`. */
const SUFFIX = /(?:[_-]?access)?(?:[_-]?key)?[0-9]?/iy;
/** Text between name and value: quotes that may be escaped, blanks, one sign of assignment, and the opening quote. */
const SEPARATOR = /(?:\\{0,7}["'`])?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}(?:\\{0,7}["'`])?/y;
const TAG = />/y;
const FLAG = /[ \t]{1,8}(?:\\{0,7}["'`])?/y;
const LONGEST_NAME = 40;
/** Blanks before or behind the sign of assignment. */
const MOST_BLANKS = 8;

/** Names that end like a label but hold no secret: positions in lists and in vocabularies. */
const HARMLESS_NAMES =
  /(?:next|page|continuation|pagination|sync|cursor|pad|eos|bos|unk|sep|cls|mask|max|num|per|stop|first|last)[_-]?$/i;

interface Opening {
  readonly from: number;
  readonly isQuoted: boolean;
}

const labelled: SecretDetector = {
  mayStart: ({ text }, at, end) => mayGiveValue(text, at, end),
  find(scan, at, end) {
    const { text, endOfRun, searched } = scan;
    // Skips a label inside a value that was found as a secret already.
    if (at < searched.labelledTo) return;
    const labelEnd = skip(SUFFIX, text, end);
    const nameAt = startOfName(text, at);
    const name = text.slice(nameAt, labelEnd);
    if (at > nameAt && HARMLESS_NAMES.test(text.slice(nameAt, at))) return;
    if (text.charAt(labelEnd) === ':' && isReplaced(text, at)) return;
    const opening = openValue(text, nameAt, labelEnd);
    if (opening === undefined) return;
    const { from, isQuoted } = opening;
    const to = endOfValue(text, opening, endOfRun);
    if (to !== undefined) addValue(scan, { name, from, to, isQuoted });
  },
};

export const LABELLED_ANCHORS: readonly Anchor<SecretDetector>[] = LABELS.map((literal) => ({
  literal,
  ignoresCase: true,
  kind: labelled,
}));

/** Whether a member of this name has a secret as its value. */
export function isSecretName(name: string): boolean {
  if (name.length > LONGEST_NAME) return false;
  // Only ASCII, as in the search: other letters, such as the sign of kelvin, have a lower case in ASCII too.
  const lower = name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return LABELS.some((label) => {
    const at = lower.lastIndexOf(label);
    if (at === -1 || HARMLESS_NAMES.test(lower.slice(0, at))) return false;
    return skip(SUFFIX, lower, at + label.length) === lower.length;
  });
}

/** Adds the whole text, which is the value of a member with such a name. */
export function findNamedSecret(scan: SecretScan, name: string): void {
  const { text } = scan;
  if (text.length <= LONGEST_NAMED && !/\s/.test(text)) {
    addValue(scan, { name, from: 0, to: text.length, isQuoted: true });
  }
}
const LONGEST_NAMED = 16_384;

interface Value extends Opening {
  readonly name: string;
  readonly to: number;
}

function addValue({ text, add, searched }: SecretScan, { name, from, to, isQuoted }: Value): void {
  const isPassword = /pass/i.test(name);
  const isAws = isAwsSecret(text, from, to) && /aws|access/i.test(name);
  if (!isAws && !isSecretValue(text.slice(from, to), isQuoted, isPassword)) return;
  add(isAws ? 'aws_secret_access_key' : typeOf(name), from, to);
  searched.labelledTo = to;
}

function typeOf(name: string): SecretType {
  return /twilio/i.test(name) ? 'twilio_key' : 'labelled_secret';
}

/** Judges raw bytes: whether a value could begin here, or a member's name or a length-delimited field could end. */
function mayGiveValue(text: string, at: number, end: number): boolean {
  const labelEnd = skip(SUFFIX, text, end);
  for (let next = labelEnd; next <= labelEnd + MOST_BLANKS; next += 1) {
    const character = text.charAt(next);
    // A tab is possible there too. In JSON it is an escape.
    if (character === '\\' && !/^(?:["'`\\t]|u0009)/.test(text.slice(next + 1, next + 6))) break;
    if (`"'\`\\:=>`.includes(character)) return true;
    if (character !== ' ' && character !== '\t') break;
  }
  if (text.slice(startOfName(text, at), at).includes('--')) return true;
  return endsField(text, at, end, labelEnd);
}

const ASCII = 0x80;
const FIRST_LEAD_BYTE = 0xc0;
/** Most bytes of a varint (protobuf encoding). */
const LONGEST_VARINT = 10;
/** Most bytes of a UTF-16 code unit in UTF-8. */
const WIDEST_UNIT = 3;

/** Whether an earlier byte is the length of a name that ends here: in protobuf any byte may follow such a name. */
function endsField(text: string, at: number, end: number, labelEnd: number): boolean {
  let units = 0;
  for (
    let from = at;
    from > 0 && at - from <= LONGEST_NAME * WIDEST_UNIT && units <= LONGEST_NAME;
    from -= 1
  ) {
    const byte = text.charCodeAt(from - 1);
    const nameEnd = from + (byte === 0 ? paddedLength(text, from - 1) : byte);
    if (nameEnd >= end && nameEnd <= labelEnd) return true;
    // A byte that continues a character is not one more code unit.
    if (byte < ASCII || byte >= FIRST_LEAD_BYTE) units += 1;
  }
  return false;
}

/** A length below 128 whose varint ends at `zero` in bytes without bits. */
function paddedLength(text: string, zero: number): number {
  let at = zero - 1;
  while (zero - at < LONGEST_VARINT && text.charCodeAt(at) === ASCII) at -= 1;
  const byte = text.charCodeAt(at);
  return byte >= ASCII ? byte - ASCII : 0;
}

function startOfName(text: string, at: number): number {
  let from = at;
  while (at - from < LONGEST_NAME && isAt(text, from - 1, WORD | HYPHEN)) from -= 1;
  return from;
}

function openValue(text: string, nameAt: number, labelEnd: number): Opening | undefined {
  let from = skip(SEPARATOR, text, labelEnd);
  if (from === labelEnd && text.charAt(nameAt - 1) === '<') from = skip(TAG, text, labelEnd);
  if (from === labelEnd && text.slice(nameAt, labelEnd).includes('--')) from = skip(FLAG, text, labelEnd);
  if (from === labelEnd) return undefined;
  return { from, isQuoted: `"'\``.includes(text.charAt(from - 1)) || text.charAt(labelEnd) === '>' };
}

/** Returns undefined if the value has several words, or is an expression. */
function endOfValue(text: string, { from, isQuoted }: Opening, endOfRun: EndOfRun): number | undefined {
  if (!isQuoted) return endOfPlainValue(text, from, endOfRun);
  let to = endOfRun(from, QUOTABLE);
  const tag = text.charAt(from - 1) === '>' ? text.indexOf('<', from) : -1;
  if (tag !== -1 && tag < to) return tag;
  if (text.charAt(to) === ' ') return undefined;
  while (to > from && text.charAt(to - 1) === '\\') to -= 1;
  return to;
}

function endOfPlainValue(text: string, from: number, endOfRun: EndOfRun): number | undefined {
  const to = endOfRun(from, PLAIN);
  const next = text.charAt(to);
  if (next !== '' && '([{'.includes(next)) return undefined;
  if (next !== '&' || !isAt(text, to + 1, ALNUM)) return to;
  // After the ampersand comes the next parameter of a query, or the rest of a line of settings.
  const end = endOfRun(to + 1, PLAIN);
  return text.slice(to, Math.min(end, to + LONGEST_NAME)).includes('=') ? to : end;
}

/** Whether this place is inside a mark that replaced a secret. */
function isReplaced(text: string, at: number): boolean {
  const from = Math.max(at - LONGEST_NAME, 0);
  const opening = text.slice(from, at).lastIndexOf('[');
  return opening !== -1 && skip(MARK, text, from + opening) > at;
}
const MARK = /\[secret:[a-z_]{1,32}:[0-9a-f]{16}\]/y;

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  const length = pattern.exec(text)?.[0].length ?? 0;
  return at + length;
}

const LEAST_PASSWORD = 6;
const LEAST_OTHER = 8;
const LEAST_BITS = 16;
const LEAST_BITS_PER_CHARACTER = 1.5;

function isSecretValue(value: string, isQuoted: boolean, isPassword: boolean): boolean {
  if (value.length < (isPassword ? LEAST_PASSWORD : LEAST_OTHER)) return false;
  if (!isSpelt(value, isQuoted && isPassword) || isPlaceholder(value) || !isVaried(value)) return false;
  return !isOtherThing(value) && (isQuoted || !isExpression(value)) && (isPassword || !isName(value));
}

function isVaried(value: string): boolean {
  const bits = bitsPerCharacter(value);
  return bits >= LEAST_BITS_PER_CHARACTER && bits * value.length >= LEAST_BITS;
}

/** Whether the value has letters and digits; a password may have a mark instead of a digit. */
function isSpelt(value: string, mayHaveMark: boolean): boolean {
  const sample = value.slice(0, 64);
  if (!hasAny(sample, 0, sample.length, LETTER)) return false;
  return hasAny(sample, 0, sample.length, DIGIT) || (mayHaveMark && STRONG_MARK.test(sample));
}

const STRONG_MARK = /[!@#$%^&*+=?~]/;
const OTHER_THINGS = [
  /^(?:\.{0,2}|~)\//,
  /^[a-z][a-z0-9+]{1,9}:\/\//i,
  /^(?:arn|vault|env|file|op|ref|projects|secrets):?[:/]/i,
  /^v?[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}(?![A-Za-z0-9])/,
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}/,
  /^[A-Za-z]:\\/,
  /^[a-z]{1,16}\|[a-z]/,
];

/** Recognises paths, addresses, references, versions and dates. */
function isOtherThing(value: string): boolean {
  const head = value.slice(0, 64);
  return OTHER_THINGS.some((pattern) => pattern.test(head));
}

const TYPE_NAME =
  /^(?:u?int|float|string|str|bytes|varchar|char|base|sha|md|hmac|utf|optional|u|i|f)[0-9_]{1,8}[A-Za-z]{0,10}$/i;
const MEMBER = /^[A-Za-z_]\w{0,23}[!?]?$/;
/** Members of an expression that are looked at. */
const MAX_MEMBERS = 16;
/** Characters in which so many members end, each with its point; longer text has a member that is too long. */
const MAX_MEMBERS_LENGTH = MAX_MEMBERS * 26;

/** Recognises a value that is code, written without quotes: a type, a member, a call, a computation. */
function isExpression(value: string): boolean {
  if (TYPE_NAME.test(value)) return true;
  const members = value.slice(0, MAX_MEMBERS_LENGTH).split('.', MAX_MEMBERS);
  if (members.length > 1 && members.every((member) => MEMBER.test(member))) return true;
  return /[=<>]=|\+\+|&&|\|\|/.test(value.slice(0, 64));
}

/** Recognises words joined with short numbers, as in names of things: `web-tls-2`, `prod_db_01`. */
function isName(value: string): boolean {
  if (value.length > 64 || !/^[A-Za-z]/.test(value) || !/[-_.:/]/.test(value)) return false;
  return value.split(/[-_.:/]/).every((part) => /^(?:[A-Za-z]{1,24}[0-9]{0,2}|v?[0-9]{1,4}|)$/.test(part));
}
