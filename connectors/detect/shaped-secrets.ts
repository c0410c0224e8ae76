import type { Anchor } from './anchors.ts';
import { ALNUM, BASE64, BASE64URL, DIGIT, DOT, hasAny, isAt, TILDE, endOfSome } from './characters.ts';
import { isPlaceholder } from './placeholders.ts';
import { isWordStart, type SecretDetector, type SecretScan } from './secret-scan.ts';

/** Secrets with a recognisable form around a literal. */

const LONGEST_JWT_HEADER = 2_048;

/** RFC 7519: three parts in base64url; the first is a JSON object that names an algorithm. */
const jwt: SecretDetector = {
  mayStart: ({ text, endOfRun }, at) => text.charAt(endOfRun(at, BASE64URL)) === '.',
  find({ text, endOfRun, add }, at) {
    if (isAt(text, at - 1, BASE64URL) && !isWordStart(text, at)) return;
    const header = endOfRun(at, BASE64URL);
    if (text.charAt(header) !== '.' || header - at > LONGEST_JWT_HEADER) return;
    const payload = endOfRun(header + 1, BASE64URL);
    if (payload === header + 1 || text.charAt(payload) !== '.') return;
    const signature = endOfRun(payload + 1, BASE64URL);
    if (signature > payload + 1 && namesAlgorithm(text.slice(at, header))) add('jwt', at, signature);
  },
};

/** Characters of a header that show whether it begins with a member: a text may hold the literal at every place. */
const HEADER_START = 64;
const BEGINS_MEMBER = /^\{"(?:[^"\\]|\\[^])*(?:"\s*(?::|$)|\\?$)/;

function namesAlgorithm(header: string): boolean {
  const start = Buffer.from(header.slice(0, HEADER_START), 'base64url').toString('latin1');
  if (!BEGINS_MEMBER.test(start)) return false;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && Object.hasOwn(parsed, 'alg');
  } catch {
    return false;
  }
}

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';
const LONGEST_KEY_KIND = 24;
const LEAST_KEY_CHARACTERS = 16;
const LONGEST_KEY_BODY = 32_768;
const KEY_LABEL_REACH = 40;

/** RFC 7468: the BEGIN and END lines around a key; one of them can be missing where the text was cut. */
const privateKey: SecretDetector = {
  // Escapes may stand between BEGIN and these words, but not between them and the dashes.
  mayStart: ({ text }, _at, end) => text.startsWith(DASHES, behindWords(text, end)),
  find(scan, at, end) {
    const { text } = scan;
    const mark = markBefore(text, at);
    const dashes = behindWords(text, end);
    if (mark === undefined || !text.startsWith(DASHES, dashes)) return;
    const inside = dashes + DASHES.length;
    if (mark.isBegin) addKey(scan, mark.at, endOfKey(text, inside), inside);
    else addKey(scan, startOfKey(text, mark.at), inside, inside);
  },
};

/** Behind the words before the closing dashes; OpenPGP has one word more. */
function behindWords(text: string, end: number): number {
  return text.startsWith(' BLOCK', end) ? end + ' BLOCK'.length : end;
}

function addKey({ text, add }: SecretScan, from: number, to: number, inside: number) {
  const body = from < inside && to > inside ? text.slice(inside, to) : text.slice(from, to);
  if (keyCharacters(body) < LEAST_KEY_CHARACTERS) return;
  const before = text.slice(Math.max(from - KEY_LABEL_REACH, 0), from);
  add(before.includes('private_key') ? 'gcp_private_key' : 'private_key', from, to);
}

function markBefore(
  text: string,
  at: number,
): { readonly at: number; readonly isBegin: boolean } | undefined {
  for (let back = at; back >= at - LONGEST_KEY_KIND && back >= 0; back -= 1) {
    if (text.startsWith(BEGIN, back - BEGIN.length)) return { at: back - BEGIN.length, isBegin: true };
    if (text.startsWith(END, back - END.length)) return { at: back - END.length, isBegin: false };
  }
  return undefined;
}

/** The end of the END line, or the place where the text is no longer that of a key. */
function endOfKey(text: string, from: number): number {
  let to = from;
  while (to - from < LONGEST_KEY_BODY && isKeyText(text, to)) to += 1;
  if (!text.startsWith(END, to)) return to;
  const closed = text.indexOf(DASHES, to + END.length);
  return closed === -1 || closed > to + END.length + 2 * LONGEST_KEY_KIND ? to : closed + DASHES.length;
}

function startOfKey(text: string, to: number): number {
  let from = to;
  while (to - from < LONGEST_KEY_BODY && isKeyText(text, from - 1)) from -= 1;
  // Text before the key on its line is not part of the key.
  const words = text.slice(from, to).lastIndexOf(': ');
  return words === -1 ? from : from + words + 2;
}

/** Base64 in lines, with line breaks plain or escaped any number of times, and the headers of an encrypted key. */
function isKeyText(text: string, at: number): boolean {
  return (
    isAt(text, at, BASE64) ||
    ('\n\r\t \\,:-"'.includes(text.charAt(at) || '!') && !text.startsWith(DASHES, at))
  );
}

function keyCharacters(body: string): number {
  const longest = /[A-Za-z0-9+/=]{16,64}/.exec(body);
  return longest === null ? 0 : longest[0].length;
}

const LONGEST_USER = 128;
const LONGEST_AUTHORITY = 512;

/** RFC 3986 section 3.2.1: the password of a URL. */
const urlPassword: SecretDetector = {
  mayStart: ({ text }, _at, end) => mayHoldPassword(text, end),
  find({ text, add }, _at, end) {
    const password = passwordOf(text, end);
    if (password === undefined) return;
    if (!isPlaceholder(text.slice(password.from, password.to)))
      add('url_password', password.from, password.to);
  },
};

/** The password is between the first colon and the last at sign of an authority. */
function passwordOf(text: string, start: number): { readonly from: number; readonly to: number } | undefined {
  const last = start + LONGEST_AUTHORITY;
  let colon = -1;
  let at = -1;
  for (let place = start; place < last && !endsAuthority(text, place); place += 1) {
    const character = text.charAt(place);
    if (character === ':' && colon === -1) colon = place;
    else if (character === '@') at = place;
    if (colon === -1 && (character === '@' || place - start > LONGEST_USER)) return undefined;
  }
  return colon !== -1 && at > colon + 1 ? { from: colon + 1, to: at } : undefined;
}

/**
 * Judges raw bytes, in which a character of the authority can be an escape. Without a limit of length: the slashes
 * before each authority end the one before it, so no byte is read twice.
 */
function mayHoldPassword(text: string, start: number): boolean {
  let colon = -1;
  for (let place = start; !endsAuthority(text, place) || isEscaped(text, place); place += 1) {
    const character = text.charAt(place);
    if (character === ':' && colon === -1) colon = place;
    else if (character === '@' && place !== colon + 1) return colon !== -1;
  }
  return false;
}

/** Whether this is a backslash of an escape by number. JSON text within a string has several backslashes. */
function isEscaped(text: string, at: number): boolean {
  return text.charAt(at) === '\\' && '\\u'.includes(text.charAt(at + 1) || '!');
}

function endsAuthority(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return Number.isNaN(code) || code <= 0x20 || '/?#"\'<>`\\'.includes(text.charAt(at));
}

const LEAST_BEARER = 16;
const LEAST_BEARER_OF_HEADER = 8;
const HEADER_REACH = 24;

/** RFC 6750 section 2.1. Where no header is named, only text that is too long for a word counts. */
const bearer: SecretDetector = {
  mayStart: ({ text }, _at, end) =>
    endOfSome(text, end, BEARER, LEAST_BEARER_OF_HEADER) - end === LEAST_BEARER_OF_HEADER,
  find({ text, endOfRun, add }, at, end) {
    const to = endOfRun(end, BEARER);
    const before = text.slice(Math.max(at - HEADER_REACH, 0), at).toLowerCase();
    const least = before.includes('authorization') || at === 0 ? LEAST_BEARER_OF_HEADER : LEAST_BEARER;
    if (to - end < least || !isWordStart(text, at)) return;
    const value = text.slice(end, to);
    if (hasAny(text, end, Math.min(to, end + 256), DIGIT) && !isPlaceholder(value))
      add('authorization', end, to);
  },
};
const BEARER = ALNUM | BASE64URL | BASE64 | DOT | TILDE;

/** RFC 7617: user and password in base64. */
const basic: SecretDetector = {
  mayStart: ({ text }, _at, end) => endOfSome(text, end, BASE64, 8) - end === 8,
  find({ text, endOfRun, add }, at, end) {
    const to = endOfRun(end, BASE64);
    if (to - end < 8 || to - end > LONGEST_AUTHORITY || !isWordStart(text, at)) return;
    const decoded = Buffer.from(text.slice(end, to), 'base64').toString('latin1');
    if (/^[^\p{Cc}:]*:\P{Cc}+$/u.test(decoded)) add('authorization', end, to);
  },
};

/** The three parts behind the host: team, app and the secret itself. */
const slackWebhook: SecretDetector = {
  mayStart: ({ text, endOfRun }, _at, end) => text.charAt(endOfRun(end, ALNUM)) === '/',
  find({ text, endOfRun, add }, _at, end) {
    const team = endOfRun(end, ALNUM);
    const app = endOfRun(team + 1, ALNUM);
    const secret = endOfRun(app + 1, ALNUM);
    const isWhole = text.charAt(team) === '/' && text.charAt(app) === '/' && secret - app > 8;
    if (isWhole) add('slack_webhook', end, secret);
  },
};

const LEAST_SENDGRID_PARTS = [16, 32] as const;

/** Two parts with a dot between. */
const sendgrid: SecretDetector = {
  mayStart: ({ text, endOfRun }, _at, end) => text.charAt(endOfRun(end, BASE64URL)) === '.',
  find({ text, endOfRun, add }, at, end) {
    const id = endOfRun(end, BASE64URL);
    const key = endOfRun(id + 1, BASE64URL);
    const [leastId, leastKey] = LEAST_SENDGRID_PARTS;
    const isWhole = text.charAt(id) === '.' && id - end >= leastId && key - id - 1 >= leastKey;
    if (isWhole && isWordStart(text, at)) add('sendgrid_key', at, key);
  },
};

export const SHAPED_ANCHORS: readonly Anchor<SecretDetector>[] = [
  { literal: 'eyJ', kind: jwt },
  { literal: 'PRIVATE KEY', kind: privateKey },
  { literal: '://', kind: urlPassword },
  { literal: 'bearer ', ignoresCase: true, kind: bearer },
  { literal: 'basic ', ignoresCase: true, kind: basic },
  { literal: 'hooks.slack.com/services/', kind: slackWebhook },
  { literal: 'SG.', kind: sendgrid },
];
