/** How far a pull came with each file, and the problems that no record has reported yet. */
import { Type, type Static } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { readState, writeState, type StateFile } from './cursor.ts';
import type { Mark } from './plain-text.ts';

const Count = Type.Integer({ minimum: 0 });

/** Why a file or a line was not taken. docs/runbook.md says what to do about each reason. */
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
  /** Version that was read; a file of the same version need not be read again. */
  version: Type.String(),
  /** Bytes of its text that the log has or that were reported as refused, with their digest. */
  bytes: Count,
  sha256: Type.String(),
  /** Whether the same version needs no further look. */
  settled: Type.Boolean(),
  /** Why the file, or the rest of it, was not taken. */
  reason: Type.Optional(ProblemReason),
});
export type FileState = Static<typeof FileState>;

/** The place that was delivered or reported last. */
const FilePlace = Type.Object({ file: Type.String(), bytes: Count });
export type FilePlace = Static<typeof FilePlace>;

const State = Type.Object({
  v: Type.Literal(1),
  gateway: Type.String(),
  from: Type.String(),
  last: Type.Union([FilePlace, Type.Null()]),
  files: Type.Array(FileState),
  /** Lines that no receiver takes and no record has reported yet. */
  untold: Type.Array(FileProblem),
});
type State = Static<typeof State>;

/** How often the state is written while files are read; a process that dies repeats at most so much. */
const WRITE_EVERY_MS = 1_000;

/** Throws USAGE_INVALID for the state of another source, START_REFUSED for a damaged state. */
export async function openFileStates(
  file: StateFile,
  owner: Pick<State, 'gateway' | 'from'>,
): Promise<FileStates> {
  const kept = await readState(file, State);
  if (kept !== undefined && (kept.gateway !== owner.gateway || kept.from !== owner.from)) {
    const other = `${kept.gateway} from ${kept.from}`;
    throw new PipelineError('USAGE_INVALID', `${file.path} is the state of another pull: ${other}`);
  }
  return new FileStates(file, owner, kept);
}

export class FileStates {
  readonly #file: StateFile;
  readonly #owner: Pick<State, 'gateway' | 'from'>;
  readonly #files: Map<string, FileState>;
  #last: FilePlace | null;
  #unreported: readonly FileProblem[];
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #isWritten: boolean;

  constructor(file: StateFile, owner: Pick<State, 'gateway' | 'from'>, kept: State | undefined) {
    this.#file = file;
    this.#owner = owner;
    this.#files = new Map((kept?.files ?? []).map((one) => [one.name, one]));
    this.#last = kept?.last ?? null;
    this.#unreported = kept?.untold ?? [];
    this.#isWritten = kept !== undefined;
  }

  of(name: string): FileState | undefined {
    return this.#files.get(name);
  }

  last(): FilePlace | null {
    return this.#last;
  }

  /** The marks of all files, under any name: a renamed file is recognised by its mark. */
  marks(): readonly Mark[] {
    return [...this.#files.values()];
  }

  /** Remembers a state; it is on stable storage at most a second later. */
  async note(state: FileState, place?: FilePlace): Promise<void> {
    this.#files.set(state.name, state);
    this.#last = place ?? this.#last;
    this.#isWritten = false;
    if (performance.now() - this.#writtenAtMs >= WRITE_EVERY_MS) await this.flush();
  }

  /** Keeps a problem until a record reports it. It is written with the next note, so it survives a crash. */
  reportLater(problem: FileProblem): void {
    // A batch that was interrupted is delivered again, with the same lines.
    const isKnown = this.#unreported.some(({ file, line }) => file === problem.file && line === problem.line);
    if (isKnown) return;
    this.#unreported = [...this.#unreported, problem];
    this.#isWritten = false;
  }

  unreported(): readonly FileProblem[] {
    return this.#unreported;
  }

  /** A record has reported every problem. */
  async reported(): Promise<void> {
    if (this.#unreported.length > 0) this.#isWritten = false;
    this.#unreported = [];
    await this.flush();
  }

  /** Forgets the files that are not among these. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of [...this.#files.keys()].filter((one) => !names.has(one))) {
      this.#files.delete(name);
      this.#isWritten = false;
    }
  }

  async flush(): Promise<void> {
    if (this.#isWritten) return;
    const state: State = {
      v: 1,
      ...this.#owner,
      last: this.#last,
      files: [...this.#files.values()],
      untold: [...this.#unreported],
    };
    await writeState(this.#file, state);
    this.#isWritten = true;
    this.#writtenAtMs = performance.now();
  }
}
