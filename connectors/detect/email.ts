import { ALNUM, DOT, endOfSome, HYPHEN, isAt, LETTER, WORD } from './characters.ts';

const LONGEST_LOCAL = 64;
const LONGEST_DOMAIN = 253;

/** Endings of files and packages: a name with an at sign and such an ending is not an address. */
const FILE_ENDINGS: ReadonlySet<string> = new Set(
  'png jpg jpeg gif svg webp avif ico bmp css scss less js mjs cjs jsx ts tsx json yml yaml md txt html xml map lock'.split(
    ' ',
  ),
);

/**
 * The e-mail address around an at sign, or undefined. A login to a machine, such as `git@host:path`, does not count.
 */
export function emailAround(
  text: string,
  at: number,
): { readonly start: number; readonly end: number } | undefined {
  if (!isAt(text, at + 1, ALNUM)) return undefined;
  let start = at;
  while (at - start < LONGEST_LOCAL && isLocal(text, start - 1)) start -= 1;
  while (start < at && !isAt(text, start, ALNUM)) start += 1;
  start = behindEscape(text, start, at);
  if (start === at || text.charAt(at - 1) === '.') return undefined;
  let end = endOfSome(text, at + 1, ALNUM | HYPHEN | DOT, LONGEST_DOMAIN);
  while (end > at && !isAt(text, end - 1, ALNUM)) end -= 1;
  if (!isDomain(text.slice(at + 1, end)) || isLogin(text, start, end)) return undefined;
  return { start, end };
}

function isLocal(text: string, at: number): boolean {
  return isAt(text, at, WORD | DOT | HYPHEN) || "+%'".includes(text.charAt(at) || '!');
}

/** A line break written as an escape is not part of a name. */
function behindEscape(text: string, start: number, at: number): number {
  const isEscape = text.charAt(start - 1) === '\\' && 'nrt'.includes(text.charAt(start));
  return isEscape && start + 1 < at ? start + 1 : start;
}

/** Labels with dots between; the last has only letters and is not an ending of files. */
function isDomain(domain: string): boolean {
  const dot = domain.lastIndexOf('.');
  const last = domain.length - dot - 1;
  if (dot < 1 || last < 2 || last > 24 || isAt(domain, 0, DOT | HYPHEN)) return false;
  for (let at = dot + 1; at < domain.length; at += 1) if (!isAt(domain, at, LETTER)) return false;
  for (let at = 1; at <= dot; at += 1) {
    if (isAt(domain, at, DOT) && !isAt(domain, at - 1, ALNUM)) return false;
  }
  return !FILE_ENDINGS.has(domain.slice(dot + 1).toLowerCase());
}

/** Recognises `git@host:path`, `deploy@host:/srv` and `ssh://deploy@host`. */
function isLogin(text: string, start: number, end: number): boolean {
  if (
    text.charAt(end) === ':' &&
    (isAt(text, end + 1, ALNUM) || '/~.'.includes(text.charAt(end + 1) || '!'))
  ) {
    return true;
  }
  return text.slice(Math.max(start - 3, 0), start) === '://' && !text.startsWith('mailto', start - 9);
}
