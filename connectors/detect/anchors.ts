/** Finds the places of many literals in a text in one pass. Pure. */

export interface Anchor<Kind> {
  /** ASCII, at least three characters. */
  readonly literal: string;
  /** @default false */
  readonly ignoresCase?: boolean;
  readonly kind: Kind;
}

/** Called with each literal and where it begins, nearly in the order of the text. Returning true ends the search. */
export type TakeAnchor<Kind, Scan> = (scan: Scan, kind: Kind, at: number, end: number) => boolean | undefined;

/** A text with one byte per character; characters beyond ASCII match no literal. */
export interface TextBytes {
  readonly bytes: Uint8Array;
  /** How many of the bytes belong to the text. */
  readonly length: number;
}

/** Returns whether `take` ended the search. `take` receives `scan`, so that no search has to create a closure. */
export type SearchAnchors<Kind> = <Scan>(
  text: TextBytes,
  scan: Scan,
  take: TakeAnchor<Kind, Scan>,
) => boolean;

const BYTE_BITS = 8;
/** Lists of literals that one table can name: an entry is one byte, and 0 means that there is no list. */
const MAX_LISTS = 255;
/** Pairs of letters that are frequent in English and in code: a search by them would stop too often. */
const COMMON_PAIRS = new Set(
  'th he in er an re on at en nd st or te es is ar ou it ha et to se le al co me de ed nt ti io ic ra ro ke ey ho am na'.split(
    ' ',
  ),
);

/** A literal that has a certain pair of characters at `offset`. */
interface PairEntry<Kind> {
  readonly kind: Kind;
  readonly offset: number;
  /** Codes of the literal in lower and in upper case; both as written where case counts. */
  readonly lower: Uint8Array;
  readonly upper: Uint8Array;
}

/**
 * Prepares a search. The search reads the bytes in steps of two and knows a literal by two of its pairs that overlap.
 * Wherever the literal begins, one of the two pairs is at an even place. The pairs index a table that is nearly empty.
 */
export function createAnchorSearch<Kind>(anchors: readonly Anchor<Kind>[]): SearchAnchors<Kind> {
  const { table, lists } = toTable(anchors);
  function takeList<Scan>(at: number, list: number, { text, scan, take }: Search<Kind, Scan>): boolean {
    for (const entry of lists[list] ?? []) {
      const start = at - entry.offset;
      if (!spells(text, start, entry)) continue;
      if (take(scan, entry.kind, start, start + entry.lower.length) === true) return true;
    }
    return false;
  }
  return (text, scan, take) => {
    const { bytes } = text;
    const last = text.length - 1;
    let search: Search<Kind, typeof scan> | undefined;
    for (let at = 0; at < last; at += 2) {
      const list = table[((bytes[at] ?? 0) << BYTE_BITS) | (bytes[at + 1] ?? 0)] ?? 0;
      if (list === 0) continue;
      search ??= { text, scan, take };
      if (takeList(at, list, search)) return true;
    }
    return false;
  };
}

interface Search<Kind, Scan> {
  readonly text: TextBytes;
  readonly scan: Scan;
  readonly take: TakeAnchor<Kind, Scan>;
}

function spells({ bytes, length }: TextBytes, start: number, { lower, upper }: PairEntry<unknown>): boolean {
  if (start < 0 || start + lower.length > length) return false;
  for (let at = 0; at < lower.length; at += 1) {
    const byte = bytes[start + at];
    if (byte !== lower[at] && byte !== upper[at]) return false;
  }
  return true;
}

function toTable<Kind>(anchors: readonly Anchor<Kind>[]) {
  const table = new Uint8Array(1 << (2 * BYTE_BITS));
  const lists: PairEntry<Kind>[][] = [[]];
  const add = (pair: string, entry: PairEntry<Kind>): void => {
    const index = (pair.charCodeAt(0) << BYTE_BITS) | pair.charCodeAt(1);
    const known = table[index] ?? 0;
    const list = known === 0 ? lists.push([]) - 1 : known;
    if (list > MAX_LISTS) throw new RangeError('too many literals for one table');
    table[index] = list;
    lists[list]?.push(entry);
  };
  for (const { literal, ignoresCase = false, kind } of anchors) {
    const rarest = rarestOffset(literal);
    const lower = Buffer.from(ignoresCase ? literal.toLowerCase() : literal);
    const upper = Buffer.from(ignoresCase ? literal.toUpperCase() : literal);
    for (const offset of [rarest, rarest + 1]) {
      const pair = literal.slice(offset, offset + 2);
      for (const spelling of ignoresCase ? spellings(pair) : [pair]) {
        add(spelling, { kind, offset, lower, upper });
      }
    }
  }
  return { table, lists };
}

function rarestOffset(literal: string): number {
  if (literal.length < 3) throw new RangeError(`${literal} is too short to be looked for`);
  const cost = (offset: number): number => {
    const pair = literal.slice(offset, offset + 2).toLowerCase();
    if (COMMON_PAIRS.has(pair)) return 4;
    return /[a-z]{2}/.test(pair) ? 2 : 1;
  };
  let best = 0;
  for (let offset = 1; offset + 3 <= literal.length; offset += 1) {
    if (cost(offset) + cost(offset + 1) < cost(best) + cost(best + 1)) best = offset;
  }
  return best;
}

function spellings(pair: string): ReadonlySet<string> {
  const [first = '', second = ''] = pair;
  const both = (character: string) => [character.toLowerCase(), character.toUpperCase()];
  return new Set(both(first).flatMap((one) => both(second).map((other) => one + other)));
}

const SCRATCH = Buffer.alloc(64 * 1024);
/** Up to this length a loop is faster than a call into the engine. */
const SHORT = 48;

/**
 * A text as bytes, one for each UTF-16 code unit. Walking bytes is several times as fast as walking text. Code units are
 * cut to 8 bits, so a find has to be checked in the text. The bytes are valid until the next call.
 */
export function toBytes(text: string): TextBytes {
  const { length } = text;
  const bytes = length <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(length);
  if (length > SHORT) bytes.write(text, 'latin1');
  else for (let at = 0; at < length; at += 1) bytes[at] = text.charCodeAt(at);
  return { bytes, length };
}
