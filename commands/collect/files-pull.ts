/** Looks at a folder or a bucket, once or again and again, and tells of each look. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogFiles } from '../../app/pull-sources.ts';
import { tellPulled, toProblemLines, type PullTarget } from './pulled.ts';
import { collectFiles } from './files.ts';
import type { FilesTotals } from './open-file.ts';
import type { FileProblem, FileStates, Place } from './state.ts';
import { createProgress } from '../output.ts';

/** What a run tells, on standard output and in the log. */
export interface FilesPulled extends FilesTotals {
  readonly from: string;
  readonly start_cursor: Place | null;
  readonly last_cursor: Place | null;
  /** Of files and lines; the first of them are listed. */
  readonly problem_count: number;
  /** Whether the signal came before the end. */
  readonly stopped: boolean;
}

const MAX_PROBLEMS_LISTED = 100;

export interface FilesPull extends PullTarget {
  readonly files: LogFiles;
  readonly states: FileStates;
  /** What the receivers take as one body. */
  readonly maxBodyBytes: number;
  /** Between two looks; without it there is one. */
  readonly followMs: number | undefined;
}

/**
 * A record `collector.pulled` says of each look what it brought and what it could not bring; a quiet one after the first
 * has none. Resolves whether all was taken.
 */
export async function pullFiles(pull: FilesPull): Promise<boolean> {
  const { followMs, signal } = pull;
  let toldBefore: string | undefined;
  let isWhole = true;
  for (;;) {
    const pulled = await pullOnce(pull);
    const problems = JSON.stringify(pulled.problems);
    if (toldBefore === undefined || pulled.requests > 0 || problems !== toldBefore) await tell(pull, pulled);
    toldBefore = problems;
    isWhole &&= pulled.problem_count === 0;
    if (followMs === undefined || signal.aborted) return isWhole;
    await delay(followMs, undefined, { signal }).catch(() => undefined);
    if (isAborted(signal)) return isWhole;
  }
}

/** Asked again after a wait, where the compiler still believes the first answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function pullOnce(pull: FilesPull): Promise<FilesPulled> {
  const { output, signal, states, from } = pull;
  const start_cursor = states.last();
  const progress = createProgress(output);
  const totals = await collectFiles({
    ...pull,
    onProgress: ({ files, requests, accepted }) => {
      progress.step(
        `${String(accepted)} accepted in ${String(requests)} requests, ${String(files)} files done`,
      );
    },
  });
  progress.done();
  const problems: readonly FileProblem[] = [...totals.problems, ...states.untold()];
  return {
    from,
    ...totals,
    ...{ start_cursor, last_cursor: states.last(), stopped: signal.aborted },
    problem_count: problems.length,
    problems: problems.slice(0, MAX_PROBLEMS_LISTED),
  };
}

async function tell(pull: FilesPull, pulled: FilesPulled): Promise<void> {
  const { files, files_seen, requests, accepted, quarantined, waiting, problems, problem_count } = pulled;
  const lines = [
    `delivered ${String(accepted)} items of ${String(files)} files in ${String(requests)} requests; ${String(files_seen)} files are there`,
    ...(quarantined > 0 ? [`${String(quarantined)} items are in quarantine`] : []),
    ...(waiting > 0 ? [`${String(waiting)} files end in the middle of a line, which is left for later`] : []),
    ...toProblemLines(
      problems.map(({ file, line, ...why }) => ({
        ...why,
        place: line === undefined ? file : `${file}, line ${String(line)}`,
      })),
      problem_count,
    ),
  ];
  if (await tellPulled(pull, pulled, lines)) await pull.states.told();
}
