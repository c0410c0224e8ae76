/**
 * Classes of characters as bits, and runs of them. Characters beyond ASCII may be part of a value, and have no other
 * class.
 */
export const UPPER = 1;
export const LOWER = 2;
export const DIGIT = 4;
export const HEX = 8;
export const UNDERSCORE = 16;
export const HYPHEN = 32;
export const DOT = 64;
/** `+`, `/`, `=`: the characters of base64 beside letters and digits. */
export const BASE64_MARKS = 128;
/** `~`: the further character of a bearer token (RFC 6750 section 2.1). */
export const TILDE = 256;
/** Characters of a quoted value: anything visible but a quote. */
export const QUOTABLE = 512;
/** Characters of a value without quotes. */
export const PLAIN = 1024;

/** `-`, `.` and `:`: characters that join parts of ids, versions and times. */
export const JOINT = 2048;
/** Blank, `-`, `.` and `/`: characters between groups of digits. */
export const SPACER = 4096;

export const LETTER = UPPER | LOWER;
export const ALNUM = LETTER | DIGIT;
export const WORD = ALNUM | UNDERSCORE;
export const BASE64 = ALNUM | BASE64_MARKS;
export const BASE64URL = ALNUM | UNDERSCORE | HYPHEN;

const ASCII = 128;
const WIDE = QUOTABLE | PLAIN;
const CLASSES = new Uint16Array(ASCII);

function put(bit: number, isMember: (character: string) => boolean): void {
  for (let code = 0; code < ASCII; code += 1) {
    if (isMember(String.fromCharCode(code))) CLASSES[code] = (CLASSES[code] ?? 0) | bit;
  }
}

put(UPPER, (character) => character >= 'A' && character <= 'Z');
put(LOWER, (character) => character >= 'a' && character <= 'z');
put(DIGIT, (character) => character >= '0' && character <= '9');
put(HEX, (character) => '0123456789abcdefABCDEF'.includes(character));
put(UNDERSCORE, (character) => character === '_');
put(HYPHEN, (character) => character === '-');
put(DOT, (character) => character === '.');
put(BASE64_MARKS, (character) => '+/='.includes(character));
put(TILDE, (character) => character === '~');
put(QUOTABLE, (character) => character > ' ' && character < '\x7f' && !`"'\``.includes(character));
put(JOINT, (character) => '-.:'.includes(character));
put(SPACER, (character) => ' -./'.includes(character));
put(PLAIN, (character) => character > ' ' && character < '\x7f' && !`"'\`,;&|()<>{}[]\\`.includes(character));

/** Whether the character at `at` is of one of these classes; false outside of the text. */
export function isAt(text: string, at: number, classes: number): boolean {
  const code = text.charCodeAt(at);
  // Outside of the text the code is NaN, for which every comparison is false.
  if (code < ASCII) return ((CLASSES[code] ?? 0) & classes) !== 0;
  return code >= ASCII && (WIDE & classes) !== 0;
}

/** Whether the text between two places is ASCII. */
export function isAscii(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (text.charCodeAt(at) >= ASCII) return false;
  return true;
}

/** Index behind the last of at most `most` characters of these classes from `at` on. */
export function endOfSome(text: string, at: number, classes: number, most: number): number {
  const last = Math.min(at + most, text.length);
  let end = at;
  while (end < last && isAt(text, end, classes)) end += 1;
  return end;
}

/** Whether any character between two places is of one of these classes. */
export function hasAny(text: string, from: number, to: number, classes: number): boolean {
  for (let at = from; at < to; at += 1) if (isAt(text, at, classes)) return true;
  return false;
}

/** Index behind the run of characters of these classes around `at`; `at` itself if there is no run. */
export type EndOfRun = (at: number, classes: number) => number;

/** A run of characters, from the first place that was asked for. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/**
 * Runs of one class that are remembered. A detector asks for up to three runs, one behind another; the next one may ask
 * for the last of them again.
 */
const MAX_KNOWN_RUNS = 4;

/**
 * Ends of runs in one text. Each run is walked once per class, however many places in it are asked for, so that all
 * questions together are linear in the text.
 */
export function createRuns(text: string): EndOfRun {
  const knownRuns = new Map<number, Run[]>();
  return (at, classes) => {
    if (!isAt(text, at, classes)) return at;
    let known = knownRuns.get(classes);
    if (known === undefined) knownRuns.set(classes, (known = []));
    for (const { from, to } of known) if (at >= from && at < to) return to;
    const to = endOfSome(text, at, classes, text.length);
    if (known.length === MAX_KNOWN_RUNS) known.shift();
    known.push({ from: at, to });
    return to;
  };
}

const SAMPLE = 64;
const counts = new Uint8Array(ASCII);
/** The values of n log2 n. */
const TERMS = Float64Array.from({ length: SAMPLE + 1 }, (_, count) =>
  count === 0 ? 0 : count * Math.log2(count),
);

/**
 * Bits of information per character, from the counts over at most the first 64; characters beyond ASCII count as one.
 */
export function bitsPerCharacter(value: string): number {
  const length = Math.min(value.length, SAMPLE);
  let sum = 0;
  for (let at = 0; at < length; at += 1) {
    const place = placeOf(value, at);
    const count = (counts[place] ?? 0) + 1;
    counts[place] = count;
    sum += (TERMS[count] ?? 0) - (TERMS[count - 1] ?? 0);
  }
  for (let at = 0; at < length; at += 1) counts[placeOf(value, at)] = 0;
  return length === 0 ? 0 : ((TERMS[length] ?? 0) - sum) / length;
}

function placeOf(value: string, at: number): number {
  const code = value.charCodeAt(at);
  return code < ASCII ? code : 0;
}
