/** Text → whole lines → batches of bounded size, one for each request. Every byte is in a batch or reported. */
import type { Pieces } from './plain-text.ts';

export interface LineLimits {
  /** A longer line is reported and skipped. */
  readonly maxLineBytes: number;
  /** A batch has at most so many bytes, unless it is a single line. */
  readonly targetBytes: number;
}

/** Lines of one request. */
export interface LineBatch {
  readonly kind: 'lines';
  /** Each with its end, except the last line of a text. */
  readonly lines: readonly Buffer[];
  /** Number of the first, from 1. */
  readonly firstLine: number;
  /** Bytes of the text up to the end of these lines. */
  readonly endBytes: number;
}

/** A line that is longer than `maxLineBytes`. */
export interface LongLine {
  readonly kind: 'too_long';
  readonly line: number;
  readonly endBytes: number;
  /** Whether it ends in a line end; otherwise it is the last of the text. */
  readonly hasEnd: boolean;
}

/** The text behind the last line end. */
export interface Tail {
  readonly kind: 'tail';
  readonly bytes: Buffer;
  readonly line: number;
  readonly endBytes: number;
}

/** A place inside a line that is too long: the text up to here is not needed any more. */
export interface Passing {
  readonly kind: 'passing';
  readonly endBytes: number;
}

export type LinePart = LineBatch | LongLine | Tail | Passing;

interface Line {
  readonly kind: 'line';
  readonly bytes: Buffer;
  readonly line: number;
  readonly endBytes: number;
}

const LINE_END = 0x0a;

/** The parts of a text behind its first `startBytes`, in order; ends with a tail unless the text ends with a line. */
export async function* toLineParts(
  text: Pieces,
  startBytes: number,
  limits: LineLimits,
): AsyncGenerator<LinePart> {
  let open: Line[] = [];
  let openBytes = 0;
  function* close(): Generator<LineBatch> {
    const [first, last] = [open[0], open.at(-1)];
    if (first === undefined || last === undefined) return;
    const lines = open.map(({ bytes }) => bytes);
    yield { kind: 'lines', lines, firstLine: first.line, endBytes: last.endBytes };
    open = [];
    openBytes = 0;
  }
  for await (const part of toLines(text, startBytes, limits.maxLineBytes)) {
    const isFull = part.kind === 'line' && openBytes + part.bytes.length > limits.targetBytes;
    if (part.kind !== 'line' || isFull) yield* close();
    if (part.kind !== 'line') yield part;
    else {
      open.push(part);
      openBytes += part.bytes.length;
    }
  }
  yield* close();
}

async function* toLines(
  text: Pieces,
  startBytes: number,
  maxLineBytes: number,
): AsyncGenerator<Line | LongLine | Tail | Passing> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let line = 1;
  let endBytes = 0;
  const endLine = (hasEnd: boolean): Line | LongLine | Tail => {
    const isLong = heldBytes > maxLineBytes;
    const at = { line, endBytes };
    const bytes = Buffer.concat(held);
    held = [];
    heldBytes = 0;
    line += 1;
    if (isLong) return { kind: 'too_long', ...at, hasEnd };
    return { kind: hasEnd ? 'line' : 'tail', bytes, ...at };
  };
  for await (const piece of text) {
    const skipped = Math.min(Math.max(startBytes - endBytes, 0), piece.length);
    line += countLines(piece.subarray(0, skipped));
    endBytes += skipped;
    for (let at = skipped; at < piece.length;) {
      const found = piece.indexOf(LINE_END, at);
      const end = found === -1 ? piece.length : found + 1;
      heldBytes += end - at;
      endBytes += end - at;
      // A line that is too long is not kept; only its end matters.
      if (heldBytes > maxLineBytes) held = [];
      else held.push(piece.subarray(at, end));
      at = end;
      if (found !== -1) yield endLine(true);
      else if (heldBytes > maxLineBytes) yield { kind: 'passing', endBytes };
    }
  }
  if (heldBytes > 0) yield endLine(false);
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_END); at !== -1; at = bytes.indexOf(LINE_END, at + 1)) count += 1;
  return count;
}
