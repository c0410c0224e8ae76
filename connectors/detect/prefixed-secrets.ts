import type { SecretType } from '../../schemas/data-class.ts';
import type { Anchor } from './anchors.ts';
import {
  ALNUM,
  BASE64,
  BASE64URL,
  DIGIT,
  DOT,
  endOfSome,
  hasAny,
  HEX,
  HYPHEN,
  isAt,
  LOWER,
  UPPER,
  WORD,
  type EndOfRun,
} from './characters.ts';
import { isWordStart, type SecretDetector, type SecretScan } from './secret-scan.ts';

/** A secret whose first characters name its issuer. */
interface Prefixed {
  readonly type: SecretType;
  readonly literals: readonly string[];
  /** Characters that follow the literal. */
  readonly classes: number;
  readonly least: number;
  /** @default without end */
  readonly most?: number;
  /** Whether upper case, lower case and digits must all occur, because harmless values begin alike. */
  readonly isMixed?: true;
}

const SLACK_KINDS = ['a', 'b', 'c', 'd', 'e', 'o', 'p', 'r', 's'];
const HEX_DIGITS = '0123456789abcdef'.split('');

/** The lengths are those that the issuers use or document, the smallest where they vary. */
const PREFIXED: readonly Prefixed[] = [
  {
    type: 'aws_access_key_id',
    literals: ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    classes: UPPER | DIGIT,
    least: 16,
    most: 16,
  },
  {
    type: 'github_token',
    literals: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'],
    classes: WORD,
    least: 36,
  },
  { type: 'github_token', literals: ['github_pat_'], classes: WORD, least: 22 },
  { type: 'gitlab_token', literals: ['glpat-', 'glrt-', 'gldt-'], classes: BASE64URL, least: 20 },
  {
    type: 'slack_token',
    literals: [...SLACK_KINDS.map((kind) => `xox${kind}-`), 'xapp-'],
    classes: ALNUM | HYPHEN,
    least: 10,
  },
  {
    type: 'stripe_key',
    literals: ['sk_live_', 'rk_live_', 'sk_test_', 'rk_test_'],
    classes: ALNUM,
    least: 16,
  },
  { type: 'anthropic_key', literals: ['sk-ant-'], classes: BASE64URL, least: 20 },
  {
    type: 'openai_key',
    literals: ['sk-proj-', 'sk-svcacct-', 'sk-admin-'],
    classes: BASE64URL,
    least: 20,
  },
  { type: 'openai_key', literals: ['sk-'], classes: BASE64URL, least: 20, isMixed: true },
  { type: 'google_api_key', literals: ['AIza'], classes: BASE64URL, least: 35, most: 35 },
  { type: 'npm_token', literals: ['npm_'], classes: ALNUM, least: 36, most: 36 },
  { type: 'pypi_token', literals: ['pypi-'], classes: BASE64URL, least: 50 },
  {
    type: 'twilio_key',
    literals: HEX_DIGITS.map((digit) => `SK${digit}`),
    classes: HEX,
    least: 31,
    most: 31,
  },
  { type: 'azure_storage_key', literals: ['AccountKey='], classes: BASE64, least: 40 },
];

export const PREFIXED_ANCHORS: readonly Anchor<SecretDetector>[] = PREFIXED.flatMap((prefixed) => {
  const kind = toDetector(prefixed);
  return prefixed.literals.map((literal) => ({ literal, kind }));
});

function toDetector(prefixed: Prefixed): SecretDetector {
  const { type } = prefixed;
  // The name of the member in the connection string is not part of the key.
  const isNamed = type === 'azure_storage_key';
  return {
    // In raw bytes a run may go on into the tag of the next field, so its length has no upper bound.
    mayStart: ({ text, endOfRun }, _at, end) => endOfOpenBody(prefixed, text, end, endOfRun) !== undefined,
    find(scan, at, end) {
      const { text, endOfRun, add } = scan;
      const to = isWordStart(text, at) ? endOfBody(prefixed, text, end, endOfRun) : undefined;
      if (to === undefined) return;
      add(type, isNamed ? end : at, to);
      if (type === 'aws_access_key_id') findSecretAround(scan, at, to);
    },
  };
}

function endOfBody(prefixed: Prefixed, text: string, from: number, endOfRun: EndOfRun): number | undefined {
  const { classes, least, most } = prefixed;
  if (most === undefined) return endOfOpenBody(prefixed, text, from, endOfRun);
  // One character more than allowed shows that it is a longer value.
  const to = endOfSome(text, from, classes, most + 1);
  return to - from < least || to - from > most ? undefined : to;
}

/** The end of the characters behind the literal, however many there are. */
function endOfOpenBody(
  { classes, least, isMixed }: Prefixed,
  text: string,
  from: number,
  endOfRun: EndOfRun,
): number | undefined {
  const to = endOfRun(from, classes);
  if (to - from < least) return undefined;
  return isMixed === true && !isMixedCase(text, from, Math.min(to, from + 64)) ? undefined : to;
}

function isMixedCase(text: string, from: number, to: number): boolean {
  return hasAny(text, from, to, UPPER) && hasAny(text, from, to, LOWER) && hasAny(text, from, to, DIGIT);
}

const AWS_SECRET_LENGTH = 40;
/** Largest distance of a secret key from its id: two lines of a credentials file or of a table. */
const AWS_NEAR = 200;

/** The secret key of an AWS key pair has no recognisable form; the id beside it identifies it. */
function findSecretAround({ text, add, searched }: SecretScan, from: number, to: number): void {
  const last = Math.min(to + AWS_NEAR, text.length);
  // Ids can be close together; each place is searched once.
  for (let at = Math.max(from - AWS_NEAR, searched.nearTo, 0); at < last; at += 1) {
    if (!isAt(text, at, BASE64) || text.charAt(at) === '=') continue;
    const end = endOfSome(text, at, BASE64, last + AWS_SECRET_LENGTH - at);
    if (isAwsSecret(text, at, end)) add('aws_secret_access_key', at, end);
    at = end;
  }
  searched.nearTo = Math.max(searched.nearTo, last);
}

/** Whether these are forty characters of base64 that are neither a hex digest nor a path. */
export function isAwsSecret(text: string, from: number, to: number): boolean {
  if (to - from !== AWS_SECRET_LENGTH || !isMixedCase(text, from, to)) return false;
  return (
    !isAt(text, to, BASE64URL | DOT) &&
    !isAt(text, from - 1, BASE64URL | DOT) &&
    !hasEqualsInside(text, from, to)
  );
}

function hasEqualsInside(text: string, from: number, to: number): boolean {
  return text.slice(from, to).includes('=');
}
