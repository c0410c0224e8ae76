/** Looks at a folder or a bucket, once or again and again, and reports each look. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FilePlace, FileProblem, FileStates } from './file-states.ts';
import { collectFiles } from './files.ts';
import type { GatewayLogs } from './gateway-logs.ts';
import type { FilesTotals } from './open-file.ts';
import { reportPulled, toProblemLines, type PullTarget } from './pulled.ts';

/** The result of one look, on standard output and in the log. */
export interface FilesPulled extends FilesTotals {
  readonly from: string;
  readonly start_cursor: FilePlace | null;
  readonly last_cursor: FilePlace | null;
  /** Problems of files and lines; `problems` lists the first of them. */
  readonly problem_count: number;
  /** Whether the signal came before the end. */
  readonly stopped: boolean;
}

/** Problems that a record lists; the others are counted. */
const MAX_PROBLEMS_LISTED = 100;

export interface FilesPull extends PullTarget {
  readonly files: GatewayLogs;
  readonly states: FileStates;
  /** The largest body that the receivers take. */
  readonly maxBodyBytes: number;
  /** The wait between two looks; undefined for a single look. */
  readonly followMs: number | undefined;
}

/**
 * Reports each look with a record `collector.pulled`, except a later look that delivered nothing and found no new
 * problem. Resolves with whether every item was taken.
 */
export async function pullFiles(pull: FilesPull): Promise<boolean> {
  const { followMs, signal } = pull;
  let reportedBefore: string | undefined;
  let isWhole = true;
  for (;;) {
    const pulled = await pullOnce(pull);
    const problems = JSON.stringify(pulled.problems);
    if (reportedBefore === undefined || pulled.requests > 0 || problems !== reportedBefore)
      await report(pull, pulled);
    reportedBefore = problems;
    isWhole &&= pulled.problem_count === 0;
    if (followMs === undefined || signal.aborted) return isWhole;
    await delay(followMs, undefined, { signal }).catch(() => undefined);
    if (isAborted(signal)) return isWhole;
  }
}

/** A function, because the compiler takes the first reading of `aborted` for the last. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function pullOnce(pull: FilesPull): Promise<FilesPulled> {
  const { reporter, signal, states, from } = pull;
  const start_cursor = states.last();
  const totals = await collectFiles({
    ...pull,
    onProgress: ({ files, requests, accepted }) => {
      reporter.progress(
        `${String(accepted)} accepted in ${String(requests)} requests, ${String(files)} files done`,
      );
    },
  });
  const problems: readonly FileProblem[] = [...totals.problems, ...states.unreported()];
  return {
    from,
    ...totals,
    start_cursor,
    last_cursor: states.last(),
    stopped: signal.aborted,
    problem_count: problems.length,
    problems: problems.slice(0, MAX_PROBLEMS_LISTED),
  };
}

async function report(pull: FilesPull, pulled: FilesPulled): Promise<void> {
  const { files, files_seen, requests, accepted, quarantined, waiting, problems, problem_count } = pulled;
  const listed = problems.map(({ file, line, reason, code }) => {
    return { place: line === undefined ? file : `${file}, line ${String(line)}`, reason, code };
  });
  const lines = [
    `delivered ${String(accepted)} items of ${String(files)} files in ${String(requests)} requests; ${String(files_seen)} files are there`,
    ...(quarantined > 0 ? [`${String(quarantined)} items are in quarantine`] : []),
    ...(waiting > 0 ? [`${String(waiting)} files end in the middle of a line, which is left for later`] : []),
    ...toProblemLines(listed, problem_count),
  ];
  if (await reportPulled(pull, pulled, lines)) await pull.states.reported();
}
