/**
 * From the event log into the ledger. In: envelopes of one partition, in order. Out: sealed records. The one
 * invariant: an envelope is acknowledged only when every record in it is sealed, or was sealed before.
 */
import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';
import type { AuditRecord } from '../schemas/record.ts';
import type { Appended, Ledger } from '../store/ledger/ledger.ts';
import type { EventLog, LoggedEnvelope } from './event-log.ts';
import type { Normalise } from './normalise.ts';
import type { SeenIds } from './seen-ids.ts';

export interface SequencerOptions {
  readonly eventLog: EventLog;
  readonly ledger: Ledger;
  readonly seenIds: SeenIds;
  readonly normalise: Normalise;
  readonly logger: Logger;
  readonly partition: number;
  /** Bounds of what is sealed in one bundle; one larger envelope makes a bundle of its own. */
  readonly maxBatchEnvelopes: number;
  readonly maxBatchBytes: number;
  /** Resolves after so many milliseconds or when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** received = records + duplicates; quarantined records are among the records. */
export interface SequencerCounters {
  envelopes: number;
  records: number;
  duplicates: number;
  quarantined: number;
  batches: number;
  failures: number;
}

export interface Sequencer {
  readonly counters: Readonly<SequencerCounters>;
  /** Codes of what keeps it from sealing; empty while it seals or waits for work. */
  readonly retrying: () => readonly ErrorCode[];
  /**
   * Runs until the signal is aborted. Failures that pass are retried with back-off after the ledger has been recovered;
   * any other rejects, because going on could fork or lose.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Bundles whose envelopes are read at once, so that one is made while the one before is being written. */
const READ_AHEAD_BUNDLES = 8;
/** What was read is cut into bundles that are this full or less, so that none is left with a few envelopes. */
const FULL_ENOUGH = 0.9;
/** How long expanding may hold the thread before other work gets a turn. */
const TURN_MS = 5;

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 5_000;

export function createSequencer(options: SequencerOptions): Sequencer {
  const counters: SequencerCounters = {
    envelopes: 0,
    records: 0,
    duplicates: 0,
    quarantined: 0,
    batches: 0,
    failures: 0,
  };
  let retrying: readonly ErrorCode[] = [];
  const consume = (signal: AbortSignal) =>
    options.eventLog.consume(
      {
        partition: options.partition,
        from: options.ledger.nextOffset(),
        maxEnvelopes: READ_AHEAD_BUNDLES * options.maxBatchEnvelopes,
        maxBytes: READ_AHEAD_BUNDLES * options.maxBatchBytes,
        signal,
      },
      async (envelopes) => {
        await sealInBundles(options, envelopes, counters, () => (retrying = []));
      },
    );

  return {
    counters,
    retrying: () => retrying,
    async run(signal) {
      let retryMs = FIRST_RETRY_MS;
      let isFilled = false;
      while (!signal.aborted) {
        const batchesBefore = counters.batches;
        try {
          if (!isFilled) await fillSeenIds(options);
          isFilled = true;
          await consume(signal);
        } catch (error) {
          if (!(error instanceof PipelineError) || error.retry === 'never') throw error;
          counters.failures += 1;
          retrying = [error.code];
          if (counters.batches > batchesBefore) retryMs = FIRST_RETRY_MS;
          const { code, detail } = error;
          options.logger.warn({ code, detail, retryMs }, 'batch not sealed, will retry');
          await options.sleep(retryMs, signal);
          retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
          await recover(options, signal);
          isFilled = true;
          // The recovery may have sealed the last batch there is: then no other would ever take the reason back.
          retrying = [];
        }
      }
    },
  };
}

/** A failed write may have been applied, so both projections are brought up to the archive before going on. */
async function recover(options: SequencerOptions, signal: AbortSignal): Promise<void> {
  try {
    await options.ledger.recover();
    await fillSeenIds(options);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.retry === 'never') throw error;
    options.logger.warn({ code: error.code, detail: error.detail }, 'recovery not finished, will retry');
    await options.sleep(LONGEST_RETRY_MS, signal);
    if (!signal.aborted) await recover(options, signal);
  }
}

/** Feeds the ids of sealed leaves that the seen ids do not know yet; a crash may come between sealing and adding. */
async function fillSeenIds({ ledger, seenIds, logger }: SequencerOptions): Promise<void> {
  const known = await seenIds.size();
  // Another sequencer may have gone on since the head was read, and may be reading these ids.
  if (known > ledger.treeSize()) await ledger.recover();
  if (known > ledger.treeSize()) {
    logger.warn({ known, treeSize: ledger.treeSize() }, 'seen ids are ahead of the log, filling them anew');
    await seenIds.clear();
  }
  for await (const { ids, tree_size } of ledger.idsSince(await seenIds.size()))
    await seenIds.add(ids, tree_size);
}

/**
 * Writing a bundle is mostly waiting: meanwhile the next one is expanded, sealed and put into the archive as far as it
 * can be before its turn comes.
 */
async function sealInBundles(
  options: SequencerOptions,
  envelopes: readonly LoggedEnvelope[],
  counters: SequencerCounters,
  onSealed: () => void,
): Promise<void> {
  let expanding = Promise.resolve<AuditRecord[]>([]);
  const expandNext = (batch: readonly LoggedEnvelope[]) => {
    expanding = expand(options, batch);
    // Whoever waits for it gets the failure; if sealing the bundle before it fails, nobody does.
    expanding.catch(() => undefined);
  };
  const batches = cutIntoBatches(options, envelopes);
  expandNext(batches[0] ?? []);
  let published = Promise.resolve();
  for (const [position, batch] of batches.entries()) {
    const expanded = await expanding;
    expandNext(batches[position + 1] ?? []);
    const sealed = await sealBatch(options, { batch, expanded });
    published = sealed.published.then(() => {
      count(options, sealed, counters);
      onSealed();
    });
    // A later bundle waits for this one and fails with it.
    published.catch(() => undefined);
  }
  await published;
}

/** Envelopes in order, in lists of about the same size, each within the bounds of one bundle. */
function cutIntoBatches(
  { maxBatchEnvelopes, maxBatchBytes }: SequencerOptions,
  envelopes: readonly LoggedEnvelope[],
): LoggedEnvelope[][] {
  const batches: LoggedEnvelope[][] = [];
  const totalBytes = envelopes.reduce((sum, { envelope }) => sum + envelope.body.length, 0);
  const shareBytes = totalBytes / Math.ceil(totalBytes / (maxBatchBytes * FULL_ENOUGH));
  let bytes = 0;
  for (const logged of envelopes) {
    const open = batches.at(-1);
    const size = logged.envelope.body.length;
    const isFull = bytes >= shareBytes || bytes + size > maxBatchBytes;
    if (open === undefined || open.length >= maxBatchEnvelopes || isFull) {
      batches.push([logged]);
      bytes = size;
    } else {
      open.push(logged);
      bytes += size;
    }
  }
  return batches;
}

interface ExpandedBatch {
  readonly batch: readonly LoggedEnvelope[];
  readonly expanded: readonly AuditRecord[];
}

interface SealedBatch extends Appended {
  readonly envelopes: number;
  readonly fresh: readonly AuditRecord[];
  readonly duplicates: number;
  readonly treeSize: number;
}

async function sealBatch(
  { ledger, seenIds }: SequencerOptions,
  { batch, expanded }: ExpandedBatch,
): Promise<SealedBatch> {
  const fresh = await withoutDuplicates(seenIds, expanded);
  const duplicates = expanded.length - fresh.length;
  if (duplicates > 0) await requireOwnHead(ledger, seenIds);
  const next_offset = (batch.at(-1)?.offset ?? ledger.nextOffset() - 1n) + 1n;
  const { published } = await ledger.append({ records: fresh, next_offset, duplicate_count: duplicates });
  const treeSize = ledger.treeSize();
  const ids = fresh.map(({ id }) => id);
  await seenIds.add(ids, treeSize);
  return { published, envelopes: batch.length, fresh, duplicates, treeSize };
}

/**
 * Ids from beyond the ledger's head were sealed by another sequencer, and this one cannot tell whether their bundle is
 * published yet: it may not acknowledge what repeats them.
 */
async function requireOwnHead(ledger: Ledger, seenIds: SeenIds): Promise<void> {
  const known = await seenIds.size();
  if (known <= ledger.treeSize()) return;
  const detail = `ids are sealed up to ${known}, this sequencer knows the log up to ${ledger.treeSize()}`;
  throw new PipelineError('LEDGER_LOST_RACE', detail);
}

function count(
  { logger }: SequencerOptions,
  { envelopes, fresh, duplicates, treeSize }: SealedBatch,
  counters: SequencerCounters,
): void {
  const quarantined = fresh.filter(({ type }) => type === 'quarantined').length;
  counters.envelopes += envelopes;
  counters.records += fresh.length;
  counters.duplicates += duplicates;
  counters.quarantined += quarantined;
  counters.batches += 1;
  logger.info({ envelopes, records: fresh.length, duplicates, quarantined, treeSize }, 'integrated batch');
}

/** Gives other work a turn between envelopes: expanding a large batch must not hold the thread. */
async function expand(
  { normalise }: SequencerOptions,
  batch: readonly LoggedEnvelope[],
): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  let turnEndsMs = performance.now() + TURN_MS;
  for (const { envelope } of batch) {
    for (const record of normalise(envelope).records) records.push(record);
    if (performance.now() < turnEndsMs) continue;
    await setImmediate();
    turnEndsMs = performance.now() + TURN_MS;
  }
  return records;
}

/** Keeps the first delivery of each record that the log does not hold yet. */
async function withoutDuplicates(seenIds: SeenIds, records: readonly AuditRecord[]): Promise<AuditRecord[]> {
  const seen = new Set(await seenIds.has(records.map(({ id }) => id)));
  return records.filter(({ id }) => {
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}
