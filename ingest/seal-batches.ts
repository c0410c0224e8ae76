/**
 * Seals envelopes into the ledger, bundle by bundle. In: envelopes of one partition, in order. Out: sealed records. The
 * caller acknowledges the envelopes when this resolves, and not before.
 */
import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { toInstant, type Clock } from '../schemas/clock.ts';
import type { AuditRecord } from '../schemas/record.ts';
import type { Appended, Ledger } from '../store/ledger/ledger.ts';
import type { EventLog, LoggedBatch, LoggedEnvelope } from './event-log.ts';
import type { Normalise } from './normalise.ts';
import type { MakeOwnRecord } from './own-records.ts';
import type { SeenIds } from './seen-ids.ts';
import { followWriters, missingBehind, type WriterGap } from './writers.ts';

export interface SealingOptions {
  readonly eventLog: Pick<EventLog, 'id'>;
  readonly ledger: Ledger;
  readonly seenIds: SeenIds;
  readonly normalise: Normalise;
  readonly ownRecord: MakeOwnRecord;
  /** Digest of the key with which the entries of the event log are MACed; undefined without one. */
  readonly eventLogKey?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bounds of the envelopes in one bundle. A single larger envelope makes a bundle alone. */
  readonly maxBatchEnvelopes: number;
  readonly maxBatchBytes: number;
}

/**
 * Counts of one bundle: received = records + duplicates; quarantined records are among the records, the record of the
 * counts themselves is not.
 */
export interface BatchCounts {
  readonly envelopes: number;
  readonly records: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly deadLetters: number;
}

/** Bundles are filled to this share of their bound or less, so that the last one is not left with a few envelopes. */
const FULL_ENOUGH = 0.9;
/**
 * Characters of records, without escapes, behind which a bundle takes no further envelope: a small body can become long
 * records, and the lines of a bundle are one text before they are compressed.
 */
export const MAX_BUNDLE_LENGTH = 16 * 1024 * 1024;
/** How long expanding may hold the thread before other work gets a turn. */
const TURN_MS = 5;

/**
 * Seals envelopes in one bundle after another. Writing a bundle is mostly waiting: meanwhile the next one is expanded, its
 * data keys are made, and it is sealed as far as it can be before its turn comes. Resolves when all are published. `onPublished` is called
 * after each.
 */
export async function sealInBundles(
  options: SealingOptions,
  logged: LoggedBatch,
  onPublished: (counts: BatchCounts) => void,
): Promise<void> {
  const batches = cutIntoBatches(options, withoutSealed(options.ledger, logged));
  const expandNext = () => {
    const next = expandFirst(options, batches).then((one) =>
      one === undefined ? undefined : { ...one, prepared: options.ledger.prepare(one.expanded) },
    );
    // The loop below gets the failure. Where the bundle before fails, nobody waits for this one.
    next.catch(() => undefined);
    return next;
  };
  let published = Promise.resolve();
  let expanding = expandNext();
  for (;;) {
    const expanded = await expanding;
    if (expanded === undefined) break;
    expanding = expandNext();
    await expanded.prepared;
    const sealed = await sealBatch(options, expanded);
    published = sealed.published.then(() => {
      const { counts, treeSize } = sealed;
      options.logger.info({ ...counts, treeSize }, 'integrated batch');
      onPublished(counts);
    });
    // A later bundle waits for this one and fails with it.
    published.catch(() => undefined);
  }
  await published;
}

/**
 * An event log delivers at least once. Entries before the ledger's next offset are sealed: they are not repeats of a
 * sender, and must not move the position back.
 */
function withoutSealed(ledger: Pick<Ledger, 'nextOffset'>, logged: LoggedBatch): LoggedBatch {
  const from = ledger.nextOffset();
  return {
    envelopes: logged.envelopes.filter(({ offset }) => offset >= from),
    deadLetters: logged.deadLetters.filter((offset) => offset >= from),
    nextOffset: logged.nextOffset < from ? from : logged.nextOffset,
  };
}

/**
 * Batches of about the same size, each within the bounds of one bundle. The last one ends where the whole ends. It has no
 * envelopes where there are dead letters alone.
 */
function cutIntoBatches(options: SealingOptions, logged: LoggedBatch): LoggedBatch[] {
  const batches: LoggedBatch[] = [];
  let rest = logged;
  for (const some of cutEnvelopes(options, logged.envelopes).slice(0, -1)) {
    const [batch, others] = cutBehind(rest, some.length);
    batches.push(batch);
    rest = others;
  }
  return rest.envelopes.length + rest.deadLetters.length === 0 ? batches : [...batches, rest];
}

/**
 * Cuts behind so many envelopes. A dead letter belongs to the batch whose position passes it: counted later, it would not
 * be counted at all where the process dies in between.
 */
function cutBehind(
  { envelopes, deadLetters, nextOffset }: LoggedBatch,
  count: number,
): [LoggedBatch, LoggedBatch] {
  const cut = (envelopes[count - 1]?.offset ?? nextOffset - 1n) + 1n;
  return [
    {
      envelopes: envelopes.slice(0, count),
      deadLetters: deadLetters.filter((offset) => offset < cut),
      nextOffset: cut,
    },
    {
      envelopes: envelopes.slice(count),
      deadLetters: deadLetters.filter((offset) => offset >= cut),
      nextOffset,
    },
  ];
}

function cutEnvelopes(
  { maxBatchEnvelopes, maxBatchBytes }: SealingOptions,
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
  readonly batch: LoggedBatch;
  readonly expanded: readonly AuditRecord[];
}

interface SealedBatch extends Appended {
  readonly counts: BatchCounts;
  readonly treeSize: number;
}

async function sealBatch(options: SealingOptions, { batch, expanded }: ExpandedBatch): Promise<SealedBatch> {
  const { ledger, seenIds, eventLog } = options;
  const fresh = await withoutDuplicates(seenIds, expanded);
  const duplicates = expanded.length - fresh.length;
  const counts: BatchCounts = {
    envelopes: batch.envelopes.length,
    records: fresh.length,
    duplicates,
    quarantined: fresh.filter(({ type }) => type === 'quarantined').length,
    deadLetters: batch.deadLetters.length,
  };
  // The ledger's head is that of the batch before: entries that a failure delivers again are followed once.
  const { heads, gaps } = followWriters(ledger.writers(), batch.envelopes, options.eventLogKey);
  const found = [...fresh, ...gaps.map((gap) => gapRecord(options, gap))];
  const records = needsCount(counts) ? [...found, countRecord(options, batch, counts)] : found;
  const { published } = await ledger.append({
    records,
    next_offset: batch.nextOffset,
    duplicate_count: duplicates,
    event_log: eventLog.id,
    writers: heads,
  });
  return { published, counts, treeSize: ledger.treeSize() };
}

/**
 * A bundle states what was read for it and became no record: a position that moved without a trace would be read again
 * when the event log no longer holds it.
 */
function needsCount({ records, duplicates, deadLetters }: BatchCounts): boolean {
  return records === 0 || duplicates > 0 || deadLetters > 0;
}

/** The record of entries that are missing. A writer's numbers never repeat, so its id is unique. */
function gapRecord(
  { ledger, eventLog, ownRecord, logger }: SealingOptions,
  { reason, writer, first, last, received_at, missing_since }: WriterGap,
): AuditRecord {
  logger.error({ reason, writer, first, last }, 'entries of the event log are missing; see docs/runbook.md');
  return ownRecord({
    type: 'event_log.gap',
    naturalKey: [ledger.origin, eventLog.id ?? '', writer, String(first), String(last)],
    received_at,
    facts: {
      reason,
      writer,
      first_number: first,
      last_number: last,
      missing_since,
      ...(eventLog.id === undefined ? {} : { event_log: eventLog.id }),
    },
  });
}

/**
 * The record of the counts of one bundle. Its id is unique by the size of the tree before it: offsets repeat where an older
 * event log is accepted again.
 */
function countRecord(
  { ledger, eventLog, ownRecord, clock }: SealingOptions,
  { envelopes, deadLetters, nextOffset }: LoggedBatch,
  counts: BatchCounts,
): AuditRecord {
  const lastRead = envelopes.at(-1);
  const now = toInstant(clock());
  const newest = lastRead?.envelope.received_at ?? now;
  // Dead letters behind the last envelope were received before now, and perhaps after that envelope.
  const isNewestDead = deadLetters.some((offset) => offset > (lastRead?.offset ?? offset));
  const received_at = isNewestDead && now > newest ? now : newest;
  return ownRecord({
    type: 'ingest.counted',
    naturalKey: [ledger.origin, eventLog.id ?? '', String(ledger.treeSize()), String(nextOffset)],
    received_at,
    facts: {
      envelope_count: counts.envelopes,
      repeat_count: counts.duplicates,
      dead_letter_count: counts.deadLetters,
      ...(counts.deadLetters === 0 ? {} : missingBehind(ledger, received_at)),
      ...(eventLog.id === undefined ? {} : { event_log: eventLog.id }),
    },
  });
}

/**
 * Expands the first of these batches and takes it out. A batch whose records become too long for one bundle is divided:
 * its rest is the first batch then. Gives other work a turn between envelopes: expanding a large batch must not hold the
 * thread. Undefined if there is no batch.
 */
async function expandFirst(
  { normalise }: SealingOptions,
  batches: LoggedBatch[],
): Promise<ExpandedBatch | undefined> {
  const batch = batches.shift();
  if (batch === undefined) return undefined;
  const expanded: AuditRecord[] = [];
  let length = 0;
  let turnEndsMs = performance.now() + TURN_MS;
  for (const [position, { envelope }] of batch.envelopes.entries()) {
    const { records, plainLength } = normalise(envelope);
    for (const record of records) expanded.push(record);
    length += plainLength;
    if (length >= MAX_BUNDLE_LENGTH && position + 1 < batch.envelopes.length) {
      const [full, rest] = cutBehind(batch, position + 1);
      batches.unshift(rest);
      return { batch: full, expanded };
    }
    if (performance.now() < turnEndsMs) continue;
    await setImmediate();
    turnEndsMs = performance.now() + TURN_MS;
  }
  return { batch, expanded };
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
