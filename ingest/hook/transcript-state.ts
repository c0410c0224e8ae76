import * as fs from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './digest.ts';
import { writeDurably } from './durable-file.ts';
import { readFully } from './transcript-piece.ts';

/** Length of the sent end whose digest a state holds, to tell a file that grew from one that was rewritten. */
const TAIL_BYTES = 4096;
/** A resumed session changes its transcript again; after this time the transcript would be sent from its beginning. */
const FORGOTTEN_MS = 30 * 24 * 60 * 60 * 1000;

type Progress = Pick<TranscriptState, 'offset_bytes' | 'seen_bytes'>;

/**
 * How far one transcript was sent. If it is lost, the transcript is sent again, and the collector recognises each line.
 */
export interface TranscriptState {
  /** Path of the transcript, links followed. */
  readonly path: string;
  /** Device and number of the file, so that a file that replaced it is sent from its beginning. */
  readonly file: string;
  readonly offset_bytes: number;
  /** Length of the file when it was last read: if the file is gone, it shows whether a rest was lost. */
  readonly seen_bytes: number;
  /** Digest of the end of the sent part. */
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
    /** Paths of all remembered transcripts. */
    paths(): string[] {
      const names = fs.readdirSync(folder).filter((name) => name.endsWith('.json'));
      return names.flatMap((name) => readState(join(folder, name))?.path ?? []);
    },
    /** Where sending goes on: at 0 if nothing was sent, the file was replaced, or its sent part was rewritten. */
    offsetIn(path: string, file: number): number {
      const state = readState(join(folder, nameOf(path)));
      const { size } = fs.fstatSync(file);
      if (state?.file !== identityOf(file) || state.offset_bytes > size) return 0;
      return state.tail_sha256 === tailOf(file, state.offset_bytes) ? state.offset_bytes : 0;
    },
    /** Records that all lines before this offset were accepted or counted as lost. */
    advance(path: string, file: number, { offset_bytes, seen_bytes }: Progress): void {
      const tail_sha256 = tailOf(file, offset_bytes);
      write({ path, file: identityOf(file), offset_bytes, seen_bytes, tail_sha256 });
    },
    /** Whether an unsent rest existed when the transcript was last read. */
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
