import * as fs from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './digest.ts';
import { writeDurably } from './durable-file.ts';
import { readFully } from './transcript-piece.ts';

/** How much behind its place a state remembers, to tell a file that grew from one that was rewritten. */
const TAIL_BYTES = 4096;
/** A session can be resumed; after so long without a change its transcript would be sent anew. */
const FORGOTTEN_MS = 30 * 24 * 60 * 60 * 1000;

type Place = Pick<TranscriptState, 'offset_bytes' | 'seen_bytes'>;

/** How far one transcript was sent. Losing it costs a second sending, which the collector recognises line by line. */
export interface TranscriptState {
  /** Where it lies, links followed. */
  readonly path: string;
  /** Device and number of the file, so that another one in its place is begun anew. */
  readonly file: string;
  readonly offset_bytes: number;
  /** How long it was then, so that one that is gone is known to be missed. */
  readonly seen_bytes: number;
  /** Of the end of what was sent. */
  readonly tail_sha256: string;
}

export type TranscriptStates = ReturnType<typeof openTranscriptStates>;

/** A folder with a file per transcript. */
export function openTranscriptStates(folder: string) {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const nameOf = (path: string) => `${sha256(path).slice(0, 32)}.json`;
  const write = (state: TranscriptState) => {
    writeDurably(folder, nameOf(state.path), Buffer.from(JSON.stringify(state)));
  };
  return {
    lock: join(folder, 'lock'),
    /** Makes sure that a transcript is looked at until it is sent, by this call or another. */
    remember(path: string): void {
      if (!fs.existsSync(join(folder, nameOf(path)))) write(beginning(path));
    },
    /** All that are remembered. */
    paths(): string[] {
      const names = fs.readdirSync(folder).filter((name) => name.endsWith('.json'));
      return names.flatMap((name) => readState(join(folder, name))?.path ?? []);
    },
    /** From the beginning if nothing was sent, or the file is not the one that was, or does not go on from there. */
    placeIn(path: string, file: number): number {
      const state = readState(join(folder, nameOf(path)));
      const { size } = fs.fstatSync(file);
      if (state?.file !== identityOf(file) || state.offset_bytes > size) return 0;
      return state.tail_sha256 === tailOf(file, state.offset_bytes) ? state.offset_bytes : 0;
    },
    /** All before this place was taken or counted. */
    advance(path: string, file: number, { offset_bytes, seen_bytes }: Place): void {
      const tail_sha256 = tailOf(file, offset_bytes);
      write({ path, file: identityOf(file), offset_bytes, seen_bytes, tail_sha256 });
    },
    /** Whether some of it was there and was not sent when it was last looked at. */
    hasRest(path: string): boolean {
      const state = readState(join(folder, nameOf(path)));
      return state !== undefined && state.offset_bytes < state.seen_bytes;
    },
    forget: (path: string) => fs.rmSync(join(folder, nameOf(path)), { force: true }),
    isForgotten: (mtimeMs: number, now: number) => now - mtimeMs > FORGOTTEN_MS,
  };
}

function beginning(path: string): TranscriptState {
  return { path, file: '', offset_bytes: 0, seen_bytes: 1, tail_sha256: '' };
}

function readState(path: string): TranscriptState | undefined {
  try {
    const found = JSON.parse(fs.readFileSync(path, 'utf8')) as TranscriptState;
    return typeof found.path === 'string' &&
      Number.isSafeInteger(found.offset_bytes) &&
      found.offset_bytes >= 0
      ? found
      : undefined;
  } catch {
    return undefined;
  }
}

function identityOf(file: number): string {
  const { dev, ino } = fs.fstatSync(file, { bigint: true });
  return `${String(dev)}:${String(ino)}`;
}

function tailOf(file: number, endBytes: number): string {
  const tail = Buffer.alloc(Math.min(TAIL_BYTES, endBytes));
  return sha256('', tail.subarray(0, readFully(file, tail, endBytes - tail.length)));
}
