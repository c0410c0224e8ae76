/** How far a collector of files came with each of them, and what it has still to tell. */
import { Type, type Static } from 'typebox';
import { readState, writeState } from '../../app/cursor.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Mark } from './plain-text.ts';

const Count = Type.Integer({ minimum: 0 });

/** Why a file, or a line of it, was not taken. docs/runbook.md says what to do about each. */
const ProblemReason = Type.Union([
  Type.Literal('line_too_large'),
  Type.Literal('line_refused'),
  Type.Literal('line_unfinished'),
  Type.Literal('too_many_refused'),
  Type.Literal('document_too_large'),
  Type.Literal('document_refused'),
  Type.Literal('document_unfinished'),
  Type.Literal('gzip_broken'),
  Type.Literal('not_json'),
  Type.Literal('unreadable'),
  Type.Literal('changed'),
]);
export type ProblemReason = Static<typeof ProblemReason>;

const FileProblem = Type.Object({
  file: Type.String(),
  line: Type.Optional(Count),
  reason: ProblemReason,
  /** The receivers' own code. */
  code: Type.Optional(Type.String()),
});
export type FileProblem = Static<typeof FileProblem>;

const FileState = Type.Object({
  name: Type.String(),
  /** The file as it was looked at; the same again need not be read. */
  version: Type.String(),
  /** Bytes of its text that the log has, or that were told as refused, and what they were. */
  bytes: Count,
  sha256: Type.String(),
  /** Whether another look at the same version would find nothing to do. */
  settled: Type.Boolean(),
  /** Why the file, or the rest of it, was not taken. */
  reason: Type.Optional(ProblemReason),
});
export type FileState = Static<typeof FileState>;

/** The place that was dealt with last. */
const Place = Type.Object({ file: Type.String(), bytes: Count });
export type Place = Static<typeof Place>;

const State = Type.Object({
  v: Type.Literal(1),
  gateway: Type.String(),
  from: Type.String(),
  last: Type.Union([Place, Type.Null()]),
  files: Type.Array(FileState),
  /** Lines that no receiver takes, of which no record tells yet. */
  untold: Type.Array(FileProblem),
});
type State = Static<typeof State>;

export interface FileStates {
  of(name: string): FileState | undefined;
  last(): Place | null;
  /** What was read, by whatever name; a file that was renamed is known by it. */
  marks(): readonly Mark[];
  /** Remembers; on stable storage a second later at most, so that a death repeats a little and skips nothing. */
  note(state: FileState, place?: Place): Promise<void>;
  /** Kept with the next note, so that a line which was passed is told even if this process dies. */
  tellLater(problem: FileProblem): void;
  untold(): readonly FileProblem[];
  /** A record tells of all that was untold. */
  told(): Promise<void>;
  /** Forgets the files that are not among these. */
  keepOnly(names: ReadonlySet<string>): void;
  flush(): Promise<void>;
}

const WRITE_EVERY_MS = 1_000;

/** Throws CONFIG_INVALID for a state of something else, START_REFUSED for one that does not read. */
export async function openFileStates(
  path: string,
  whose: Pick<State, 'gateway' | 'from'>,
): Promise<FileStates> {
  const kept = await readState(path, State);
  if (kept !== undefined && (kept.gateway !== whose.gateway || kept.from !== whose.from)) {
    const other = `${kept.gateway} from ${kept.from}`;
    throw new PipelineError('CONFIG_INVALID', `${path} remembers how far ${other} was read`);
  }
  const files = new Map((kept?.files ?? []).map((one) => [one.name, one]));
  let last = kept?.last ?? null;
  let untold: readonly FileProblem[] = kept?.untold ?? [];
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  let isWritten = kept !== undefined;
  const flush = async (): Promise<void> => {
    if (isWritten) return;
    const state: State = { v: 1, ...whose, last, files: [...files.values()], untold: [...untold] };
    await writeState(path, state);
    isWritten = true;
    writtenAtMs = performance.now();
  };
  return {
    of: (name) => files.get(name),
    last: () => last,
    marks: () => [...files.values()],
    note: async (state, place) => {
      files.set(state.name, state);
      last = place ?? last;
      isWritten = false;
      if (performance.now() - writtenAtMs >= WRITE_EVERY_MS) await flush();
    },
    tellLater: (problem) => {
      // A batch that was not taken to its end is taken again, with the same lines in it.
      const isKnown = untold.some(({ file, line }) => file === problem.file && line === problem.line);
      if (isKnown) return;
      untold = [...untold, problem];
      isWritten = false;
    },
    untold: () => untold,
    told: async () => {
      if (untold.length > 0) isWritten = false;
      untold = [];
      await flush();
    },
    keepOnly: (names) => {
      for (const name of [...files.keys()].filter((one) => !names.has(one))) {
        files.delete(name);
        isWritten = false;
      }
    },
    flush,
  };
}
