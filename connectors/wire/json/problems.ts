import type { QuarantineReason } from '../../../schemas/quarantine.ts';
import { toShortSegment } from '../../../schemas/json-pointer.ts';
import { isExactNumber } from './numbers.ts';
import { decodeString, JsonScanner, type JsonToken } from './scan.ts';

/** Why a place of the text has no exact canonical form. */
export interface JsonProblem {
  /** RFC 6901; a member name longer than 200 characters is cut in it. */
  readonly pointer: string;
  readonly reason: QuarantineReason;
}

/** Problems that are listed. A body with more problems is judged as a whole. */
const MAX_PROBLEMS = 1_000;

/** The part of the text from one index to before another. */
export interface TextRange {
  readonly from: number;
  readonly to: number;
}

export interface FoundProblems {
  readonly problems: readonly JsonProblem[];
  /** Each container beyond the depth, in order. It lies at the place of a problem, or the body is judged as a whole. */
  readonly tooDeep: readonly TextRange[];
  /** The index of the first character that cannot continue JSON text; undefined if the text is JSON. */
  readonly invalidAt: number | undefined;
}

/**
 * Names every place of JSON text that has no exact canonical form. Linear: a container beyond `maxDepth` is named once
 * and skipped. Beyond MAX_PROBLEMS the list ends with a problem of the root, because a shortened list would present the
 * rest as sound.
 */
export function findProblems(text: string, maxDepth: number): FoundProblems {
  const scanner = new JsonScanner(text);
  const search: Search = { scanner, maxDepth, names: [], segments: [], problems: [], tooDeep: [] };
  const { problems, tooDeep } = search;
  for (;;) {
    const token = scanner.next();
    if (token === 'end') return { problems, tooDeep, invalidAt: undefined };
    if (token === 'invalid') return { problems, tooDeep, invalidAt: scanner.from };
    judge(search, token);
  }
}

interface Search {
  readonly scanner: JsonScanner;
  readonly maxDepth: number;
  /** The names that each open container has had so far; an array has none. */
  readonly names: Set<string>[];
  /** By depth: the current name as it stands in pointers. A name may be long and have many problems under it. */
  readonly segments: string[];
  readonly problems: JsonProblem[];
  readonly tooDeep: TextRange[];
}

function judge(search: Search, token: Exclude<JsonToken, 'end' | 'invalid'>): void {
  const { scanner, names, maxDepth } = search;
  switch (token) {
    case 'name':
      judgeName(search);
      break;
    case 'string':
      if (!isWellFormed(textOf(scanner))) report(search, 'json_lone_surrogate');
      break;
    case 'number':
      if (!isExactNumber(textOf(scanner))) report(search, 'json_inexact_number');
      break;
    case 'open':
      if (scanner.path.length <= maxDepth) names.push(new Set());
      else {
        const { from } = scanner;
        report(search, 'json_too_deep');
        if (scanner.skip() === 'close') search.tooDeep.push({ from, to: scanner.to });
      }
      break;
    case 'close':
      names.pop();
      break;
    case 'literal':
      break;
  }
}

function judgeName(search: Search): void {
  const name = decodeString(textOf(search.scanner));
  const known = search.names.at(-1);
  search.segments[search.scanner.path.length - 1] = toShortSegment(name);
  if (!name.isWellFormed()) report(search, 'json_lone_surrogate');
  if (known?.has(name) === true) report(search, 'json_duplicate_key');
  known?.add(name);
}

function textOf({ text, from, to }: JsonScanner): string {
  return text.slice(from, to);
}

function report(search: Search, reason: QuarantineReason): void {
  const { problems } = search;
  if (problems.length >= MAX_PROBLEMS) return;
  problems.push({ pointer: pointerOf(search), reason });
  if (problems.length === MAX_PROBLEMS) problems.push({ pointer: '', reason });
}

function isWellFormed(token: string): boolean {
  return !token.includes('\\') || decodeString(token).isWellFormed();
}

function pointerOf({ scanner, maxDepth, segments }: Search): string {
  const path = scanner.path.slice(0, maxDepth);
  return path
    .map((segment, depth) => `/${typeof segment === 'number' ? segment : (segments[depth] ?? '')}`)
    .join('');
}
