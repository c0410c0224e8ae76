import type { JsonProblem } from './strict-json.ts';
import { endOfNumber, endOfString, isExactNumber } from './tokens.ts';

/** One problem per place is enough to judge a body; a body with more than this many is judged as a whole. */
const MAX_PROBLEMS = 1_000;
const MAX_POINTER_NAME = 200;

interface Frame {
  /** Names seen so far in an object; undefined in an array. */
  readonly names: Set<string> | undefined;
  segment: string;
  index: number;
  expectsName: boolean;
}

interface Scan {
  readonly text: string;
  readonly maxDepth: number;
  readonly frames: Frame[];
  readonly problems: JsonProblem[];
  at: number;
}

/**
 * Names every place of valid JSON text that has no exact canonical form. Linear: the stack never passes `maxDepth`,
 * since a container beyond it is named once and skipped. Beyond MAX_PROBLEMS the list ends with a problem of the
 * root, because a shortened list would pass off the rest as sound.
 */
export function findProblems(text: string, maxDepth: number): JsonProblem[] {
  const scan: Scan = { text, maxDepth, frames: [], problems: [], at: 0 };
  while (scan.at < text.length) {
    step(scan);
    const last = scan.problems[MAX_PROBLEMS - 1];
    if (last !== undefined) return [...scan.problems, { pointer: '', reason: last.reason }];
  }
  return scan.problems;
}

function step(scan: Scan): void {
  const code = scan.text.charCodeAt(scan.at);
  switch (code) {
    case 0x22:
      takeString(scan);
      return;
    case 0x7b:
    case 0x5b:
      openContainer(scan, code === 0x7b);
      return;
    case 0x7d:
    case 0x5d:
      scan.frames.pop();
      scan.at += 1;
      return;
    case 0x2c:
      nextMember(scan);
      return;
    default:
      if (code === 0x2d || (code >= 0x30 && code <= 0x39)) takeNumber(scan);
      else scan.at += 1;
  }
}

function takeString(scan: Scan): void {
  const end = endOfString(scan.text, scan.at);
  const token = scan.text.slice(scan.at, end);
  scan.at = end;
  const frame = scan.frames.at(-1);
  if (frame?.expectsName === true && frame.names !== undefined) {
    takeName(scan, frame, frame.names, decodeString(token));
    return;
  }
  if (token.includes('\\') && !decodeString(token).isWellFormed()) report(scan, 'json_lone_surrogate');
}

function takeName(scan: Scan, frame: Frame, names: Set<string>, name: string): void {
  frame.expectsName = false;
  frame.segment = name;
  if (!name.isWellFormed()) report(scan, 'json_lone_surrogate');
  if (names.has(name)) report(scan, 'json_duplicate_key');
  names.add(name);
}

function takeNumber(scan: Scan): void {
  const end = endOfNumber(scan.text, scan.at);
  if (!isExactNumber(scan.text.slice(scan.at, end))) report(scan, 'json_inexact_number');
  scan.at = end;
}

function openContainer(scan: Scan, isObject: boolean): void {
  if (scan.frames.length >= scan.maxDepth) {
    report(scan, 'json_too_deep');
    scan.at = endOfContainer(scan.text, scan.at);
    return;
  }
  const names = isObject ? new Set<string>() : undefined;
  scan.frames.push({ names, segment: '0', index: 0, expectsName: isObject });
  scan.at += 1;
}

function nextMember(scan: Scan): void {
  scan.at += 1;
  const frame = scan.frames.at(-1);
  if (frame === undefined) return;
  frame.expectsName = frame.names !== undefined;
  frame.index += 1;
  if (frame.names === undefined) frame.segment = String(frame.index);
}

function report(scan: Scan, reason: JsonProblem['reason']): void {
  const pointer = scan.frames.map((frame) => `/${escapeSegment(frame.segment)}`).join('');
  scan.problems.push({ pointer, reason });
}

/** RFC 6901 section 3; a lone surrogate in a name is replaced, since pointers are hashed too. */
function escapeSegment(segment: string): string {
  const cut = segment.slice(0, MAX_POINTER_NAME).toWellFormed();
  return cut.replaceAll('~', '~0').replaceAll('/', '~1');
}

function decodeString(token: string): string {
  return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
}

/** Index behind the bracket that closes the container which opens at `start`, without a stack. */
export function endOfContainer(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) depth -= 1;
    if (depth === 0) return at;
  }
  return text.length;
}
