import { isArrayAt, walkArray, type TakeElement } from './json-bytes.ts';
import type { Chunks, Holder, Piece } from './pieces.ts';

const COMMA = Buffer.from(',');

/** A list inside a JSON value. */
export interface JsonList {
  readonly pieces: readonly Piece[];
  /** Behind its opening bracket. */
  readonly from: number;
  /** At its closing bracket. */
  readonly to: number;
}

/** The list at `start`; undefined for null, which OTLP takes for an empty one. */
export function readList(
  bytes: Buffer,
  start: number,
  take: (into: Piece[], ...element: Parameters<TakeElement>) => number,
): JsonList | undefined {
  if (!isArrayAt(bytes, start)) return undefined;
  const pieces: Piece[] = [];
  const end = walkArray(bytes, start, (at, index) => take(pieces, at, index));
  return { pieces, from: start + 1, to: end - 1 };
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
