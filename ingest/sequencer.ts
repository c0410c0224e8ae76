/**
 * From the event log into the ledger. In: envelopes of one partition, in order. Out: sealed records. The one
 * invariant: an envelope is acknowledged only when every record in it is sealed, or was sealed before.
 */
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';
import type { EventLog } from './event-log.ts';
import { sealInBundles, type BatchCounts, type SealingOptions } from './seal-batches.ts';
import { settleEventLog, type SettlingOptions } from './settle-event-log.ts';
import { sealedBy } from './writers.ts';

export interface SequencerOptions extends SealingOptions {
  readonly eventLog: EventLog;
  readonly partition: number;
  readonly acceptedEventLog: SettlingOptions['acceptedEventLog'];
  /** Whether an older version may have appended entries without a writer's number. @default false */
  readonly hadUnnumbered?: boolean | undefined;
  /** Resolves after so many milliseconds or when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** received = records + duplicates; quarantined records are among the records. */
export interface SequencerCounters {
  envelopes: number;
  records: number;
  duplicates: number;
  quarantined: number;
  /** Entries of the event log that held no envelope. */
  deadLetters: number;
  batches: number;
  failures: number;
}

/** Where a sequencer stands. `detail` names no content. */
export type SequencerState =
  | { readonly state: 'retrying'; readonly reason: ErrorCode; readonly detail: string }
  | { readonly state: 'sealing' | 'idle' };

export interface Sequencer {
  readonly counters: Readonly<SequencerCounters>;
  /** `idle` while it waits for work. */
  state(): SequencerState;
  /**
   * Compares the event log with the ledger and settles where reading goes on. It comes before the first append to the
   * log. Throws EVENT_LOG_REPLACED where the log is another one, and START_REFUSED where it does not hold the place.
   */
  settle(): Promise<void>;
  /**
   * Runs until the signal is aborted. Settles first, where the caller did not. Transient failures are retried with
   * back-off after the ledger has been recovered; any other rejects, because going on could fork or lose.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Bundles whose envelopes are read at once, so that one is made while the one before is being written. */
const READ_AHEAD_BUNDLES = 8;

/** The wait before a failed batch is tried again; each later wait is twice as long. */
const FIRST_RETRY_MS = 200;
/** The longest of these waits. */
const LONGEST_RETRY_MS = 5_000;

/** The counters of a sequencer that has not begun. */
export const NOTHING_COUNTED: Readonly<SequencerCounters> = {
  envelopes: 0,
  records: 0,
  duplicates: 0,
  quarantined: 0,
  deadLetters: 0,
  batches: 0,
  failures: 0,
};

export function createSequencer(options: SequencerOptions): Sequencer {
  // `run` and the consumer that it starts own both. Callers only read them.
  const counters: SequencerCounters = { ...NOTHING_COUNTED };
  const progress = new Progress();
  let isSettled = false;

  const settle = async () => {
    await settleEventLog(options);
    isSettled = true;
  };
  const consume = (signal: AbortSignal) =>
    options.eventLog.consume(
      {
        partition: options.partition,
        from: options.ledger.nextOffset(),
        maxEnvelopes: READ_AHEAD_BUNDLES * options.maxBatchEnvelopes,
        maxBytes: READ_AHEAD_BUNDLES * options.maxBatchBytes,
        // Never again once a bundle names a writer: a forger would leave the number out.
        mayBeUnnumbered: options.hadUnnumbered === true && options.ledger.writers() === undefined,
        isSealed: sealedBy(options.ledger.writers()),
        signal,
      },
      (batch) =>
        progress.whileSealing(
          sealInBundles(options, batch, (counts) => {
            addCounts(counters, counts);
            progress.failure = undefined;
          }),
        ),
    );

  return {
    counters,
    state: () => progress.state(),
    settle,
    async run(signal) {
      let retryMs = FIRST_RETRY_MS;
      while (!signal.aborted) {
        const batchesBefore = counters.batches;
        try {
          if (!isSettled) await settle();
          await consume(signal);
        } catch (error) {
          const { code, detail } = (progress.failure = requireTransient(error));
          counters.failures += 1;
          if (counters.batches > batchesBefore) retryMs = FIRST_RETRY_MS;
          options.logger.warn({ code, detail, retryMs }, 'batch not sealed, will retry');
          await options.sleep(retryMs, signal);
          retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
          await recover(options, progress, signal);
          // The recovery may have sealed the last batch there is: then no later batch would clear the reason.
          progress.failure = undefined;
        }
      }
    },
  };
}

/** How far a sequencer is. Its functions write, `state` reads. */
class Progress {
  failure: PipelineError | undefined;
  #isSealing = false;

  async whileSealing(work: Promise<void>): Promise<void> {
    this.#isSealing = true;
    try {
      await work;
    } finally {
      this.#isSealing = false;
    }
  }

  state(): SequencerState {
    if (this.failure !== undefined)
      return { state: 'retrying', reason: this.failure.code, detail: this.failure.detail };
    return { state: this.#isSealing ? 'sealing' : 'idle' };
  }
}

function addCounts(counters: SequencerCounters, counts: BatchCounts): void {
  counters.envelopes += counts.envelopes;
  counters.records += counts.records;
  counters.duplicates += counts.duplicates;
  counters.quarantined += counts.quarantined;
  counters.deadLetters += counts.deadLetters;
  counters.batches += 1;
}

/** Throws the error again unless it is to be retried later. */
function requireTransient(error: unknown): PipelineError {
  if (error instanceof PipelineError && error.retry !== 'never') return error;
  throw error;
}

/** A failed write may have been applied, so the projections are brought up to the archive before going on. */
async function recover(options: SequencerOptions, progress: Progress, signal: AbortSignal): Promise<void> {
  try {
    await options.ledger.recover();
  } catch (error) {
    const { code, detail } = (progress.failure = requireTransient(error));
    options.logger.warn({ code, detail }, 'recovery not finished, will retry');
    await options.sleep(LONGEST_RETRY_MS, signal);
    if (!signal.aborted) await recover(options, progress, signal);
  }
}
