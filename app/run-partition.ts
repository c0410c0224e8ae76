/**
 * Seals one partition. A transient failure or a lost race is answered by reopening its log; any other parks the
 * partition: nothing more of it is sealed or acknowledged, and the other partitions of the process go on.
 */
import type { Logger } from 'pino';
import type { OpenLog } from './logs.ts';
import { toFailure, type PartitionFailure, type Partitions, type RunningSequencer } from './partitions.ts';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';

/** The wait before a log is reopened for the first time; each later wait is twice as long. */
const FIRST_REOPEN_WAIT_MS = 500;
/** The longest of these waits. A sequencer that ran for longer begins again with the shortest. */
const MAX_REOPEN_WAIT_MS = 10_000;

/** The work of a partition, and what it is done with. */
export interface PartitionWork {
  readonly partitions: Partitions;
  /** Opens the log of the partition. Another process may have written to it since it was open here. */
  open(partition: number): Promise<OpenLog>;
  start(partition: number, open: OpenLog): RunningSequencer;
  /** Called once each time a partition is parked. Must not throw. */
  onParked(partition: number, failure: PartitionFailure): void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
}

/** Seals a partition while it is assigned; never rejects. A parked partition is tried once more when it is assigned again. */
export async function runPartition(
  work: PartitionWork,
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  const { partitions, logger } = work;
  let waitMs = FIRST_REOPEN_WAIT_MS;
  partitions.opening(partition);
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    try {
      const open = await work.open(partition);
      try {
        await partitions.run(partition, work.start(partition, open), signal);
      } finally {
        await open.close();
      }
    } catch (error) {
      if (!mayReopen(error)) {
        await park(work, { partition, error, signal });
        break;
      }
      const { code, detail } = toFailure(error);
      // After a lost race the partition may belong to another process. The archive has let only one of the two commit.
      logger.warn({ code, detail, partition, waitMs }, 'sealing of the partition failed, reopening its log');
      partitions.retrying(partition, { code, detail });
      if (performance.now() - startedAtMs > MAX_REOPEN_WAIT_MS) waitMs = FIRST_REOPEN_WAIT_MS;
      await work.sleep(waitMs, signal);
      waitMs = Math.min(2 * waitMs, MAX_REOPEN_WAIT_MS);
    }
  }
  partitions.forget(partition);
}

function mayReopen(error: unknown): boolean {
  return error instanceof PipelineError && (error.retry !== 'never' || error.code === 'LEDGER_LOST_RACE');
}

/** Doubts about the event log itself: the receivers of the process should not acknowledge into it any longer. */
const DOUBTS_OF_EVENT_LOG: ReadonlySet<ErrorCode> = new Set([
  'START_REFUSED',
  'LOG_DAMAGED',
  'EVENT_LOG_REPLACED',
]);

/**
 * Seals the single partition of the embedded event log, which is settled. Its receivers can still acknowledge durably
 * while it is parked, and a restart refuses as before. Rejects only where the event log itself is in doubt.
 */
export async function runSinglePartition(
  work: PartitionWork,
  running: RunningSequencer,
  signal: AbortSignal,
): Promise<void> {
  const partition = 0;
  try {
    await work.partitions.run(partition, running, signal);
  } catch (error) {
    if (DOUBTS_OF_EVENT_LOG.has(toFailure(error).code)) throw error;
    await park(work, { partition, error, signal });
  }
}

interface Parking {
  readonly partition: number;
  readonly error: unknown;
  readonly signal: AbortSignal;
}

/** Resolves when the signal is aborted. */
async function park(work: PartitionWork, { partition, error, signal }: Parking): Promise<void> {
  const failure = toFailure(error);
  work.partitions.parked(partition, failure);
  work.logger.error(
    { ...failure, partition, at: framesOf(error) },
    'the partition is parked: nothing more of it is sealed until it is assigned again; see docs/runbook.md',
  );
  work.onParked(partition, failure);
  await aborted(signal);
}

/** The places of a failure in the code, without its message, which may quote content. */
function framesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return (error.stack ?? '').split('\n').flatMap((line) => (/^\s+at /.test(line) ? [line.trim()] : []));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
