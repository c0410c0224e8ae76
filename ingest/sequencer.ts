/**
 * From the event log into the ledger. In: envelopes of one partition, in order. Out: sealed records. The one
 * invariant: an envelope is acknowledged only when every record in it is sealed, or was sealed before.
 */
import { toInstant } from '../schemas/clock.ts';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';
import { judgeEventLog } from './event-log-identity.ts';
import type { EventLog } from './event-log.ts';
import { sealInBundles, type BatchCounts, type SealingOptions } from './seal-batches.ts';

export interface SequencerOptions extends SealingOptions {
  readonly eventLog: EventLog;
  readonly partition: number;
  /** Id of the event log that the operator accepted; see `judgeEventLog`. */
  readonly acceptedEventLog: string | undefined;
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

export interface Sequencer {
  readonly counters: Readonly<SequencerCounters>;
  /** Codes of the errors that keep it from sealing; empty while it seals or waits for work. */
  readonly retrying: () => readonly ErrorCode[];
  /**
   * Compares the event log with the ledger and settles where reading goes on. It comes before the first append to the
   * log. Throws EVENT_LOG_REPLACED where the log is another one, and START_REFUSED where it does not hold the place.
   */
  settle(): Promise<void>;
  /**
   * Runs until the signal is aborted. Settles first, where the caller did not. Transient failures are retried with back-off after the ledger has been recovered;
   * any other rejects, because going on could fork or lose.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Bundles whose envelopes are read at once, so that one is made while the one before is being written. */
const READ_AHEAD_BUNDLES = 8;

/** The wait before a failed batch is tried again; each later wait is twice as long. */
const FIRST_RETRY_MS = 200;
/** The longest of these waits. */
const LONGEST_RETRY_MS = 5_000;

const NOTHING_COUNTED: Readonly<SequencerCounters> = {
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
  let retrying: readonly ErrorCode[] = [];
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
        signal,
      },
      async (batch) => {
        await sealInBundles(options, batch, (counts) => {
          addCounts(counters, counts);
          retrying = [];
        });
      },
    );

  return {
    counters,
    retrying: () => retrying,
    settle,
    async run(signal) {
      let retryMs = FIRST_RETRY_MS;
      let knowsSeenIds = false;
      while (!signal.aborted) {
        const batchesBefore = counters.batches;
        try {
          if (!isSettled) await settle();
          if (!knowsSeenIds) await addMissingSeenIds(options);
          knowsSeenIds = true;
          await consume(signal);
        } catch (error) {
          const { code, detail } = requireTransient(error);
          counters.failures += 1;
          retrying = [code];
          if (counters.batches > batchesBefore) retryMs = FIRST_RETRY_MS;
          options.logger.warn({ code, detail, retryMs }, 'batch not sealed, will retry');
          await options.sleep(retryMs, signal);
          retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
          await recover(options, signal);
          knowsSeenIds = true;
          // The recovery may have sealed the last batch there is: then no later batch would clear the reason.
          retrying = [];
        }
      }
    },
  };
}

/** Refuses another event log than the ledger's, and begins at the start of one that the operator accepted. */
async function settleEventLog(options: SequencerOptions): Promise<void> {
  const { eventLog, ledger, partition, acceptedEventLog: accepted } = options;
  const verdict = judgeEventLog({ found: eventLog.id, accepted, sealed: ledger.eventLog() });
  if (verdict.kind === 'refused') throw new PipelineError('EVENT_LOG_REPLACED', verdict.detail);
  if (verdict.kind === 'begin_again') await sealReplacement(options);
  await eventLog.settle(partition, ledger.nextOffset());
}

/** Seals the word that another event log is read from now on. From its bundle on, offsets count in the new log. */
async function sealReplacement({ eventLog, ledger, ownRecord, clock, logger }: SequencerOptions) {
  const previous = ledger.eventLog();
  const event_log = eventLog.id;
  if (event_log === undefined || previous === undefined) return;
  const record = ownRecord({
    type: 'event_log.replaced',
    naturalKey: [ledger.origin, previous, event_log, String(ledger.treeSize())],
    received_at: toInstant(clock()),
    facts: { event_log, previous_event_log: previous },
  });
  const batch = { records: [record], next_offset: 0n, duplicate_count: 0, event_log };
  await (
    await ledger.append(batch)
  ).published;
  logger.warn({ event_log, previous }, 'another event log was accepted and is read from its beginning');
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

/** A failed write may have been applied, so both projections are brought up to the archive before going on. */
async function recover(options: SequencerOptions, signal: AbortSignal): Promise<void> {
  try {
    await options.ledger.recover();
    await addMissingSeenIds(options);
  } catch (error) {
    const { code, detail } = requireTransient(error);
    options.logger.warn({ code, detail }, 'recovery not finished, will retry');
    await options.sleep(LONGEST_RETRY_MS, signal);
    if (!signal.aborted) await recover(options, signal);
  }
}

/** Adds the ids of sealed leaves that are not among the seen ids yet; a crash may come between sealing and adding. */
async function addMissingSeenIds({ ledger, seenIds, logger }: SequencerOptions): Promise<void> {
  const known = await seenIds.size();
  // Another sequencer may have sealed more since the head was read, and added these ids.
  if (known > ledger.treeSize()) await ledger.recover();
  if (known > ledger.treeSize()) {
    const sizes = { known, treeSize: ledger.treeSize() };
    logger.warn(sizes, 'seen ids are ahead of the log, reading all of them again');
    await seenIds.clear();
  }
  for await (const { ids, tree_size } of ledger.leafIdsFrom(await seenIds.size()))
    await seenIds.add(ids, tree_size);
}
