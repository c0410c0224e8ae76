import type { PersonalType } from '../../schemas/data-class.ts';
import type { Anchor } from './anchors.ts';
import { DIGIT, endOfSome, hasAny, HYPHEN, isAt, WORD } from './characters.ts';
import { digitsOf } from './numbers.ts';

/** Data about people that a label before it identifies. */

export interface PersonalScan {
  readonly text: string;
  readonly add: (type: PersonalType, start: number, end: number) => void;
}

export type FindPersonal = (scan: PersonalScan, at: number, end: number) => void;

const SEPARATOR = /(?:\\{0,7}["'`])?[ \t]{0,4}(?:is|was|[:=#])?[ \t]{0,4}(?:\\{0,7}["'`])?/y;
const STRICT_SEPARATOR = /(?:\\{0,7}["'`])?[ \t]{0,4}[:=][ \t]{0,4}(?:\\{0,7}["'`])?/y;

/** Words with a capital, initials and particles; or the family name first, with a comma behind it. */
const WORD_OF_NAME = "\\p{Lu}[\\p{L}'’-]{1,30}";
const NEXT_OF_NAME = `(?:\\p{Lu}\\.|(?:von|van|de|da|del|der|la|le|bin|al) ${WORD_OF_NAME}|${WORD_OF_NAME})`;
const NAME = new RegExp(
  `${WORD_OF_NAME}(?:, ${WORD_OF_NAME}(?: \\p{Lu}\\.)?(?![\\p{L}:])|(?: ${NEXT_OF_NAME}){0,3})`,
  'uy',
);
const TITLE_NAME = /\.? (?:\p{Lu}\. )?\p{Lu}[\p{L}'’-]{1,30}(?: \p{Lu}[\p{L}'’-]{1,30}){0,2}/uy;
const NAME_LABEL =
  /(?:^|[^a-z])(?:(?:full|first|last|given|family|middle|patient|customer|client|employee|contact|maiden|sur|legal|guest|holder|cardholder|beneficiary|recipient|member|person|display)?[ _-]?name|surname)$/i;
const PERSON_LABEL =
  /(?:full|first|last|given|family|middle|patient|customer|client|employee|contact|maiden|legal|guest|holder|beneficiary|recipient)[ _-]?name$|surname$/i;
const LABEL_REACH = 28;

/** Words with a capital that follow `name:` in code, in workflows and in lists of products. */
const NO_NAMES: ReadonlySet<string> = new Set(
  (
    'build run test tests deploy install setup set check checkout upload download create publish lint release cache ' +
    'format update add remove delete validate verify generate start stop push pull merge sync scan login configure ' +
    'compile package restore save get post put patch list show new default main production staging development code ' +
    'docker node python java ruby rust go github gitlab azure google aws amazon microsoft apple linux ubuntu windows ' +
    'claude agent model server service client api app application database table column field user admin system ' +
    'file folder project product module component function class type string number boolean object array null none ' +
    'unknown error warning info debug true false acme inc ltd corp gmbh llc team group department company the a an ' +
    'my your this that prod dev ci cd unit integration nightly weekly daily sample example monday friday january ' +
    'plan basic premium free pro super it he she we they you works web data event record report summary status version license apache mit notify slack report reports send'
  ).split(' '),
);

const name: FindPersonal = ({ text, add }, at, end) => {
  const label = text.slice(Math.max(at - LABEL_REACH, 0), end);
  if (!NAME_LABEL.test(label) || isAt(text, end, WORD)) return;
  const from = skip(STRICT_SEPARATOR, text, end);
  if (from > end) addName({ text, add }, from, PERSON_LABEL.test(label) ? 1 : 2);
};

const patient: FindPersonal = (scan, at, end) => {
  const { text } = scan;
  const from = skip(STRICT_SEPARATOR, text, end);
  const behind = from > end ? from : skip(/ (?=\p{Lu})/uy, text, end);
  if (behind > end) addName(scan, behind, 2);
  else if (skip(RECORD_WORD, text, end) > end) medicalRecord(scan, at, end);
};

function addName({ text, add }: PersonalScan, from: number, leastWords: number): void {
  const matched = text.slice(from, skip(NAME, text, from));
  const words = matched.split(' ');
  // A word behind a name that is all capitals, or has a colon, is the next label.
  const behind = text.charAt(from + matched.length);
  while (words.length > 1 && (behind === ':' || isLabel(words.at(-1) ?? ''))) {
    const last = words.pop() ?? '';
    if (!isLabel(last)) break;
  }
  const to = from + words.join(' ').length;
  if (words.length < leastWords || stopsInCode(text, to)) return;
  if (words.every((word) => !NO_NAMES.has(word.replace(',', '').toLowerCase())) && !isLabel(words[0] ?? '')) {
    add('person_name', from, to);
  }
}

function isLabel(word: string): boolean {
  return word.length < 2 || (word.length < 5 && !word.endsWith('.') && word === word.toUpperCase());
}

/** Text that stops at a digit, a bracket or a sign of code is not a name. */
function stopsInCode(text: string, to: number): boolean {
  const next = text.charAt(to);
  return next !== '' && '0123456789_({[<=/.:'.includes(next) && !endsSentence(text, to);
}

function endsSentence(text: string, at: number): boolean {
  return '.<'.includes(text.charAt(at)) && !isAt(text, at + 1, WORD);
}

const title: FindPersonal = ({ text, add }, at, end) => {
  if (isAt(text, at - 1, WORD | HYPHEN)) return;
  const to = skip(TITLE_NAME, text, end);
  const words = text.slice(end, to).replace(/^\.? /, '').split(' ');
  if (to > end && !NO_NAMES.has((words[0] ?? '').toLowerCase())) add('person_name', at, to);
};

const MONTH = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const DATE = new RegExp(
  `[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2})` +
    `|(?:${MONTH})[a-z]{0,6}\\.? [0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4}` +
    `|[0-9]{1,2}(?:st|nd|rd|th)?\\.? (?:${MONTH})[a-z]{0,6}\\.?,? [0-9]{4}|(?:19|20)[0-9]{6}(?![0-9])`,
  'y',
);

const birth: FindPersonal = ({ text, add }, at, end) => {
  if (isAt(text, at - 1, WORD) && text.charAt(at - 1) !== '_') return;
  const separator = skip(SEPARATOR, text, skip(/(?:[ _-]?(?:date|day)|(?: on)?)/iy, text, end));
  const from = skip(/(?:on |the )?/y, text, separator);
  const to = skip(DATE, text, from);
  if (to > from && !isAt(text, to, DIGIT)) add('date_of_birth', from, to);
};

const LEAST_RECORD_DIGITS = 5;

const RECORD_WORD = /[ _-]?(?:record[ _-]?)?(?:number|no\.?|id|#)/iy;

const medicalRecord: FindPersonal = ({ text, add }, at, end) => {
  if (isAt(text, at - 1, WORD) && text.charAt(at - 1) !== '_') return;
  const labelled = skip(RECORD_WORD, text, end);
  const from = skip(/[ \t]{0,2}#?/y, text, skip(SEPARATOR, text, labelled));
  const to = endOfSome(text, from, WORD | HYPHEN, 16);
  const isNumber = digitsOf(text, from, to).length >= LEAST_RECORD_DIGITS && !isAt(text, to, WORD);
  if (isNumber && from > end) add('medical_record_number', from, to);
};

/** Judges a member whose name says that it is about a person; its value is the whole text. */
export function findNamedPersonal({ text, add }: PersonalScan, memberName: string): void {
  const label = memberName.replaceAll(/([a-z])([A-Z])/g, '$1_$2');
  const labelled = `${label}: ${text}`;
  const shift = labelled.length - text.length;
  const shifted: PersonalScan = {
    text: labelled,
    add: (type, start, end) => {
      // Titles of things can begin like names; the name of a person fills its member.
      const isPart = type === 'person_name' && end < labelled.length;
      if (start >= shift && !isPart) add(type, start - shift, end - shift);
    },
  };
  for (const { literal, kind } of LABELS) {
    const at = label.toLowerCase().lastIndexOf(literal.toLowerCase());
    if (at !== -1) kind(shifted, at, at + literal.length);
  }
}

const TITLES = ['Mr.', 'Mrs', 'Ms.', 'Dr.', 'Mr ', 'Ms '];

const LABELS: readonly (Anchor<FindPersonal> & { readonly literal: string })[] = [
  { literal: 'name', ignoresCase: true, kind: name },
  { literal: 'patient', ignoresCase: true, kind: patient },
  { literal: 'dob', ignoresCase: true, kind: birth },
  { literal: 'd.o.b.', ignoresCase: true, kind: birth },
  { literal: 'birth', ignoresCase: true, kind: birth },
  { literal: 'born', ignoresCase: true, kind: birth },
  { literal: 'mrn', ignoresCase: true, kind: medicalRecord },
  { literal: 'medical', ignoresCase: true, kind: medicalRecord },
];

export const PERSONAL_ANCHORS: readonly Anchor<FindPersonal>[] = [
  ...LABELS,
  ...TITLES.map((literal) => ({ literal, kind: title })),
];

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  const length = pattern.exec(text)?.[0].length ?? 0;
  return at + length;
}

/** Whether a member's name concerns people at all, so that its value has to be searched once more. */
export function isPersonalName(memberName: string): boolean {
  return (
    memberName.length <= 64 &&
    hasAny(memberName, 0, memberName.length, WORD) &&
    PERSONAL_MEMBER.test(memberName)
  );
}
const PERSONAL_MEMBER = /name|patient|dob|birth|born|mrn|medical/i;
