import * as fs from 'node:fs';
import { toObject } from './transcript-path.ts';

/** The only lines that leave the machine; others hold file snapshots, summaries, settings, queued input. */
const SENT_TYPES: readonly unknown[] = ['user', 'assistant'];
/** Most bytes of one delivery, and so of one line. Reading holds about as much in memory at once. */
export const PIECE_BYTES = 4 * 1024 * 1024;
const NEWLINE = 0x0a;

/** Whole lines of a transcript, from one offset on. */
export interface Piece {
  /** The lines to send, with their newlines, as they lie in the file. */
  readonly lines: readonly Buffer[];
  /** Where the next piece begins: behind a newline, or at this piece's own beginning if it has no whole line. */
  readonly nextBytes: number;
  /** Reasons of the lines that cannot be sent. */
  readonly lost: readonly ('transcript_line_too_large' | 'transcript_line_invalid')[];
}

/** Reads at most `PIECE_BYTES` of whole lines. A last line without newline is still being written, so it is left. */
export function readPiece(file: number, fromBytes: number, sizeBytes: number): Piece {
  const window = Buffer.allocUnsafe(Math.max(0, Math.min(PIECE_BYTES, sizeBytes - fromBytes)));
  const text = window.subarray(0, readFully(file, window, fromBytes));
  const end = text.lastIndexOf(NEWLINE) + 1;
  if (end === 0 && text.length === PIECE_BYTES) return skipLine(file, fromBytes, sizeBytes);
  return { ...selectLines(text.subarray(0, end)), nextBytes: fromBytes + end };
}

function selectLines(text: Buffer): Omit<Piece, 'nextBytes'> {
  const kept: Buffer[] = [];
  const lost: 'transcript_line_invalid'[] = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf(NEWLINE, start) + 1;
    const line = text.subarray(start, end);
    const { type } = toObject(line);
    if (SENT_TYPES.includes(type)) kept.push(line);
    else if (type === undefined && !isBlank(line)) lost.push('transcript_line_invalid');
    start = end;
  }
  return { lines: kept, lost };
}

/** Skips a line that fits into no delivery, once its end is written. */
function skipLine(file: number, fromBytes: number, sizeBytes: number): Piece {
  const window = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = fromBytes; at < sizeBytes; at += window.length) {
    const text = window.subarray(0, readFully(file, window, at));
    const end = text.indexOf(NEWLINE) + 1;
    if (end > 0) {
      return { lines: [], nextBytes: at + end, lost: ['transcript_line_too_large'] };
    }
  }
  return { lines: [], nextBytes: fromBytes, lost: [] };
}

/** Returns the number of bytes read: less than the window only at the end of the file. */
export function readFully(file: number, window: Buffer, fromBytes: number): number {
  for (let filled = 0; ;) {
    const got = fs.readSync(file, window, filled, window.length - filled, fromBytes + filled);
    filled += got;
    if (got === 0 || filled === window.length) return filled;
  }
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === NEWLINE);
}
