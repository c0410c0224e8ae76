import { join } from 'node:path';
import { PipelineError } from '../../schemas/errors.ts';
import type { ConsumeOptions, EventLog, LoggedBatch, LoggedEnvelope } from '../event-log.ts';
import { createFrameReader, type ReadFrame } from '../frame-reader.ts';
import { FrameWriter, type Numbering } from '../frame-writer.ts';
import { collectorOf, encodeEnvelope, encodeForWriter } from '../framing.ts';
import { Appender, type BacklogLimits, type LogDatabases } from './appender.ts';
import { BacklogAge } from './backlog-age.ts';
import { keepDeadLetter, type DeadLetter } from './dead-letters.ts';
import { openEnvironment, type Environment } from './environment.ts';
import {
  beginningOf,
  REMOVE_MAX_ENTRIES,
  removeEntries,
  repairState,
  requireNewestLedger,
  settleAt,
  type SealedEntries,
  type StoredEntry,
} from './settle.ts';
import { readId, readState, saysBacklog, toOffset, writeId } from './state.ts';

interface EmbeddedEventLogOptions extends BacklogLimits {
  /** Folder for this log alone, created if absent. */
  readonly dir: string;
  /** Gives the log its id when it is opened for the first time. */
  readonly newId: () => string;
  /** Without it entries get no numbers, as in a deployment of an older version. */
  readonly numbering?: Numbering | undefined;
  /** How long an idle consumer waits before it looks for appends of other threads and processes. @default 20 */
  readonly pollMs?: number;
  /** Called for each entry that holds no envelope, after its bytes were kept below `dead-letters`. */
  readonly onDeadLetter?: ((letter: Pick<DeadLetter, 'offset' | 'reason'>) => void) | undefined;
  /** How long a batch that is not full is held back. @default 0 */
  readonly lingerMs?: number;
}

interface LogStorage extends LogDatabases {
  readonly environment: Environment;
  readonly keepDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>;
}

/** The log has one partition. */
const PARTITION = 0;

/** How long a batch may be held back, and the pause between two looks at the log. */
interface Linger {
  readonly lingerMs: number;
  readonly idle: () => Promise<void>;
}

interface StoredBatch {
  readonly envelopes: readonly LoggedEnvelope[];
  readonly letters: readonly DeadLetter[];
  readonly entries: readonly StoredEntry[];
  readonly nextOffset: bigint;
}

/**
 * The event log on LMDB: one partition, 0. In: envelopes. Out: batches. An envelope is removed only after it was
 * acknowledged.
 *
 * Any number of threads and processes may open the same folder, once each, and append; one of them consumes. Offsets
 * are assigned inside the write transaction, hence strictly rising over all of them. Durability is that of
 * `openEnvironment`: an append resolves, and its entries become visible to any consumer, only after the flush.
 */
export async function openEmbeddedEventLog(options: EmbeddedEventLogOptions): Promise<EventLog> {
  // LMDB replaces pages instead of changing them, and large values need neighbouring pages: room for both.
  const environment = await openEnvironment(options.dir, {
    mapBytes: 4 * options.maxBacklogBytes + 256 * 1024 * 1024,
  });
  const storage = toStorage(environment, options);
  const id = await prepare(storage, options.newId);
  // Idle consumers; `sleep` adds and removes them, an append of this process wakes them.
  const sleepers = new Set<() => void>();
  const wake = (): void => sleepers.forEach((awake) => awake());
  const { writer, encode, openReader } = framesOf(id, options.numbering);
  const appender = new Appender(environment, storage, { limits: options, onAppended: wake, writer });
  const age = new BacklogAge(storage);
  const stopped = new AbortController();
  const consumers = new Set<Promise<void>>();

  async function close(): Promise<void> {
    stopped.abort();
    await appender.idle();
    await Promise.allSettled(consumers);
    await age.stop();
    await environment.close();
  }
  let closing: Promise<void> | undefined;

  return {
    id,
    settle: (partition, from, isSealed) => {
      requireOnlyPartition(partition);
      const read = openReader({ mayBeUnnumbered: true });
      return settle(storage, from, isSealed === undefined ? undefined : { read, isSealed });
    },
    append: async (envelopes) => {
      if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'event log is closed');
      if (envelopes.length === 0) return;
      await appender.append(
        envelopes.map((envelope) => ({ bytes: encode(envelope), collector: envelope.principal })),
      );
    },
    consume: async (consumeOptions, onBatch) => {
      requireOnlyPartition(consumeOptions.partition);
      const signal = AbortSignal.any([consumeOptions.signal, stopped.signal]);
      const idle = (): Promise<void> => sleep(sleepers, signal, options.pollMs ?? 20);
      const linger = { lingerMs: options.lingerMs ?? 0, idle };
      const source = { storage, linger, read: openReader(consumeOptions) };
      const running = consumeUntilAborted(source, { ...consumeOptions, signal }, onBatch);
      consumers.add(running);
      try {
        await running;
      } finally {
        consumers.delete(running);
      }
    },
    lag: async () => {
      if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'event log is closed');
      return age.lag();
    },
    close: () => (closing ??= close()),
  };
}

/** How this handle writes and reads the entries of the log `id`. */
function framesOf(id: string, numbering: Numbering | undefined) {
  const place = { logId: id, partition: PARTITION };
  const writer = numbering === undefined ? undefined : new FrameWriter({ ...numbering, place });
  return {
    writer,
    encode: writer === undefined ? encodeEnvelope : encodeForWriter,
    openReader: ({ mayBeUnnumbered = false }: Pick<ConsumeOptions, 'mayBeUnnumbered'>) =>
      createFrameReader({ key: numbering?.key, place, mayBeUnnumbered }),
  };
}

async function settle(
  storage: LogStorage,
  from: bigint | undefined,
  sealed: SealedEntries | undefined,
): Promise<bigint> {
  if (from === undefined) return beginningOf(storage);
  requireNewestLedger(storage, from);
  await settleAt(storage, from, sealed);
  return from;
}

interface Source {
  readonly storage: LogStorage;
  readonly read: ReadFrame;
  readonly linger: Linger;
}

async function consumeUntilAborted(
  { storage, read, linger }: Source,
  options: ConsumeOptions,
  onBatch: (batch: LoggedBatch) => Promise<void>,
): Promise<void> {
  const { signal } = options;
  await settleAt(storage, options.from);
  while (!signal.aborted) {
    await untilFullOrOld(storage, options, linger);
    if (isAborted(signal)) return;
    const batch = readBatch(storage, read, options);
    if (batch.entries.length === 0) {
      // Somebody removed entries while this process runs, or changed the counts.
      if (saysBacklog(storage.meta)) await repairState(storage);
      await linger.idle();
    } else {
      await storage.keepDeadLetters(batch.letters);
      const { envelopes, letters, nextOffset } = batch;
      await onBatch({ envelopes, deadLetters: letters.map(({ offset }) => offset), nextOffset });
      // A crash on this line leaves entries that are sealed; the next consumer starts behind them and skips them.
      await acknowledge(storage, batch.entries);
    }
  }
}

function toStorage(
  environment: Environment,
  { dir, onDeadLetter }: Pick<EmbeddedEventLogOptions, 'dir' | 'onDeadLetter'>,
): LogStorage {
  return {
    environment,
    entries: environment.database('entries'),
    meta: environment.database('meta'),
    keepDeadLetters: async (letters) => {
      for (const letter of letters) {
        await keepDeadLetter(join(dir, 'dead-letters'), letter);
        onDeadLetter?.(letter);
      }
    },
  };
}

/** Brings the counts in line with the entries; resolves to the id of the log. Leaves nothing open where that fails. */
async function prepare(storage: LogStorage, newId: () => string): Promise<string> {
  try {
    await repairState(storage);
    return await identify(storage, newId);
  } catch (error) {
    await storage.environment.close();
    throw error;
  }
}

/** The id of the log. The first handle that opens it gives it one. */
async function identify({ environment, meta }: LogStorage, newId: () => string): Promise<string> {
  return (
    readId(meta) ??
    environment.commit(() => {
      const given = readId(meta) ?? `lmdb:${newId()}`;
      writeId(meta, given);
      return given;
    })
  );
}

function requireOnlyPartition(partition: number): void {
  if (partition !== PARTITION) throw new RangeError('the embedded event log has partition 0 only');
}

/** Resolves when a batch is full or its oldest envelope has waited for the linger; at once where nothing waits. */
async function untilFullOrOld(
  storage: LogStorage,
  { maxEnvelopes, maxBytes, signal }: ConsumeOptions,
  { lingerMs, idle }: Linger,
): Promise<void> {
  const endsAtMs = performance.now() + lingerMs;
  while (!signal.aborted && performance.now() < endsAtMs) {
    storage.environment.refresh();
    const { envelopes, bytes } = readState(storage.meta);
    if (envelopes === 0 || envelopes >= maxEnvelopes || bytes >= maxBytes) return;
    await idle();
  }
}

/** Asked again after a wait, where the compiler still believes the first answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** A damaged or forged entry must not become evidence, and must not keep the entries behind it from being sealed. */
function readBatch(storage: LogStorage, read: ReadFrame, options: ConsumeOptions): StoredBatch {
  storage.environment.refresh();
  const { shift } = readState(storage.meta);
  const envelopes: LoggedEnvelope[] = [];
  const letters: DeadLetter[] = [];
  const entries: StoredEntry[] = [];
  let nextOffset = options.from;
  let bytes = 0;
  for (const { key, value } of storage.entries.getRange({ limit: options.maxEnvelopes })) {
    // The first envelope is always taken, or one larger than maxBytes would block the log for ever.
    if (entries.length > 0 && bytes + value.length > options.maxBytes) break;
    bytes += value.length;
    const offset = toOffset(key, shift);
    const entry = read(value, offset);
    if ('envelope' in entry) envelopes.push({ offset, ...entry });
    else letters.push({ offset, bytes: value, reason: entry.unreadable });
    const collector = 'envelope' in entry ? entry.envelope.principal : collectorOf(value);
    entries.push({ key, size: value.length, collector });
    nextOffset = offset + 1n;
  }
  return { envelopes, letters, entries, nextOffset };
}

async function acknowledge(storage: LogStorage, entries: readonly StoredEntry[]): Promise<void> {
  for (let start = 0; start < entries.length; start += REMOVE_MAX_ENTRIES) {
    const chunk = entries.slice(start, start + REMOVE_MAX_ENTRIES);
    await storage.environment.commit(() => removeEntries(storage, chunk));
  }
}

function sleep(sleepers: Set<() => void>, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const awake = (): void => {
      clearTimeout(timer);
      sleepers.delete(awake);
      signal.removeEventListener('abort', awake);
      resolve();
    };
    const timer = setTimeout(awake, ms);
    sleepers.add(awake);
    signal.addEventListener('abort', awake, { once: true });
    if (signal.aborted) awake();
  });
}
