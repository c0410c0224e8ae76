import type { Chunks, Holder, Piece } from '../pieces.ts';
import { decodeString, type JsonScanner, type JsonToken } from './scan.ts';

export const COMMA = Buffer.from(',');

/** A list inside a JSON value. */
export interface JsonList {
  readonly pieces: readonly Piece[];
  /** Behind its opening bracket. */
  readonly from: number;
  /** At its closing bracket. */
  readonly to: number;
}

/** Reads the value whose first token is the scanner's current one to its end. */
export type TakeElement = (into: Piece[], token: JsonToken, index: number) => void;

/** Whether the current token opens a container of this kind. */
export function opens(scanner: JsonScanner, token: JsonToken, container: 'object' | 'array'): boolean {
  return token === 'open' && scanner.isObject === (container === 'object');
}

/** Reads the value at the scanner's current token: a list, or undefined for anything else. */
export function readList(scanner: JsonScanner, token: JsonToken, take: TakeElement): JsonList | undefined {
  if (!opens(scanner, token, 'array')) {
    scanner.endOfValue(token);
    return undefined;
  }
  const pieces: Piece[] = [];
  const from = scanner.to;
  let next = scanner.next();
  for (let index = 0; next !== 'close' && next !== 'invalid'; index += 1) {
    take(pieces, next, index);
    next = scanner.next();
  }
  return { pieces, from, to: scanner.from };
}

/**
 * Reads the object whose opening brace is the scanner's current token. `take` reads the value of each member, and gets
 * the place at which the member begins. The scanner's text has one character for each byte of the body (latin1).
 */
export function readMembers(
  scanner: JsonScanner,
  take: (name: string, token: JsonToken, from: number) => void,
): void {
  while (scanner.next() === 'name') {
    const { from } = scanner;
    const name = decodeString(toUtf8(scanner.text.slice(from, scanner.to)));
    take(name, scanner.next(), from);
  }
}

function toUtf8(bytes: string): string {
  return /[\x80-\xff]/.test(bytes) ? Buffer.from(bytes, 'latin1').toString() : bytes;
}

/** The JSON value from `start` to `end` around a list in it. */
export function holderAround(bytes: Buffer, start: number, end: number, list: JsonList): Holder {
  const before = bytes.subarray(start, list.from);
  const after = bytes.subarray(list.to, end);
  return { within: list.pieces, wrap: (pieces) => [before, ...joined(pieces, COMMA), after] };
}

/** Chunks of several pieces with a separator between them. */
export function joined(pieces: readonly Chunks[], separator: Uint8Array): Uint8Array[] {
  return pieces.flatMap((chunks, index) => (index === 0 ? [...chunks] : [separator, ...chunks]));
}
