/** Shared by the files of a pull: a run, its counts, and a file that is being read. */
import type { Delivery } from '../send/delivery.ts';
import type { FileProblem, FileStates, ProblemReason } from './file-states.ts';
import type { GatewayLogFile, GatewayLogs } from './gateway-logs.ts';
import type { DeliveryCounts } from './items.ts';
import { createPrefixDigest, type Mark, type Pieces } from './plain-text.ts';

export interface FilesRun {
  readonly files: GatewayLogs;
  readonly states: FileStates;
  readonly delivery: Delivery;
  /** Route to post to. */
  readonly path: string;
  /** The largest body that the receivers take; a longer line or document is not sent. */
  readonly maxBodyBytes: number;
  readonly onProgress: (totals: Readonly<FilesTotals>) => void;
}

export interface FilesTotals extends DeliveryCounts {
  files_seen: number;
  /** Files from which at least one item was delivered. */
  files: number;
  /** Files that were not taken, or not to their end. Problems of lines are in the state, which survives a crash. */
  readonly problems: FileProblem[];
  /** Files that end in the middle of a line. */
  waiting: number;
}

/** A file that is being read. */
export interface OpenFile {
  readonly run: FilesRun;
  readonly file: GatewayLogFile;
  /** The text from its first byte, inflated. */
  readonly text: () => Pieces;
  /** How far it was read before, under this name or another. */
  readonly start: Mark;
  /** Whether its writer can no longer append. */
  readonly isWhole: boolean;
  readonly totals: FilesTotals;
}

/** `stopped`: the signal came before the file was done. */
export type FileEnd = 'done' | 'stopped';

export const NOTHING_READ: Mark = createPrefixDigest().markAt(0);

/** Skips a file, or the rest of it, for a reason. Another version of the file is read again. */
export async function leave(
  { run, file, totals }: Pick<OpenFile, 'run' | 'file' | 'totals'>,
  reason: ProblemReason,
): Promise<FileEnd> {
  const { name, version } = file;
  totals.problems.push({ file: name, reason });
  const { bytes, sha256 } = run.states.of(name) ?? NOTHING_READ;
  await run.states.note({ name, version, bytes, sha256, settled: true, reason });
  return 'done';
}
