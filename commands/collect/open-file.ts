/** What the parts of a collector of files share: a run, what it counts, and a file that is being read. */
import type { LogFile, LogFiles } from '../../app/pull-sources.ts';
import type { Delivery } from './delivery.ts';
import type { DeliveryCounts } from './items.ts';
import { createPrefixDigest, type Mark, type Pieces } from './plain-text.ts';
import type { FileProblem, FileStates, ProblemReason } from './state.ts';

export interface FilesRun {
  readonly files: LogFiles;
  readonly states: FileStates;
  readonly delivery: Delivery;
  /** Route to post to. */
  readonly path: string;
  /** What the receivers take; a longer line or document is not sent. */
  readonly maxBodyBytes: number;
  readonly onProgress: (totals: Readonly<FilesTotals>) => void;
}

export interface FilesTotals extends DeliveryCounts {
  files_seen: number;
  /** Files of which something was delivered. */
  files: number;
  /** Files that were not taken, or not to their end. Lines are told by the state, which survives a death. */
  readonly problems: FileProblem[];
  /** Files that end in the middle of a line. */
  waiting: number;
}

/** A file that is being read. */
export interface OpenFile {
  readonly run: FilesRun;
  readonly file: LogFile;
  /** From its first byte, inflated. */
  readonly text: () => Pieces;
  /** What of it was read before, under this name or another. */
  readonly start: Mark;
  /** Whether nothing more can be appended. */
  readonly isWhole: boolean;
  readonly totals: FilesTotals;
}

/** `stopped`: the signal came before the file was done. */
export type End = 'done' | 'stopped';

export const NOTHING_READ: Mark = createPrefixDigest().markAt(0);

/** Passes over a file, or the rest of it, that cannot be taken as it is; another version of it is looked at anew. */
export async function leave(
  { run, file, totals }: Pick<OpenFile, 'run' | 'file' | 'totals'>,
  reason: ProblemReason,
): Promise<End> {
  const { name, version } = file;
  totals.problems.push({ file: name, reason });
  const { bytes, sha256 } = run.states.of(name) ?? NOTHING_READ;
  await run.states.note({ name, version, bytes, sha256, settled: true, reason });
  return 'done';
}
