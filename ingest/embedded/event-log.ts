import { PipelineError } from '../../schemas/errors.ts';
import type { ConsumeOptions, EventLog, LoggedEnvelope } from '../event-log.ts';
import { collectorOf, decodeEnvelope, encodeEnvelope } from '../framing.ts';
import { Appender, type BacklogLimits, type LogDatabases } from './appender.ts';
import { openEnvironment, type Environment } from './environment.ts';
import { changeBacklog, readState, toKey, toOffset, writeState } from './state.ts';

interface EmbeddedEventLogOptions extends BacklogLimits {
  /** Folder for this log alone, created if absent. */
  readonly dir: string;
  /** How long an idle consumer waits before it looks for appends of other threads and processes. @default 20 */
  readonly pollMs?: number;
}

interface LogStorage extends LogDatabases {
  readonly environment: Environment;
}

interface StoredEntry {
  readonly key: Buffer;
  readonly size: number;
  readonly collector: string;
}

interface StoredBatch {
  readonly envelopes: readonly LoggedEnvelope[];
  readonly entries: readonly StoredEntry[];
}

/** Entries removed in one transaction, so that appends never wait long for the write lock. */
const REMOVE_MAX_ENTRIES = 2000;

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
  const storage = {
    environment,
    entries: environment.database('entries'),
    meta: environment.database('meta'),
  };
  // Idle consumers; `sleep` adds and removes them, an append of this process wakes them.
  const sleepers = new Set<() => void>();
  const wake = (): void => sleepers.forEach((awake) => awake());
  const appender = new Appender(environment, storage, options, wake);
  const stopped = new AbortController();
  const consumers = new Set<Promise<void>>();

  async function close(): Promise<void> {
    stopped.abort();
    await appender.idle();
    await Promise.allSettled(consumers);
    await environment.close();
  }
  let closing: Promise<void> | undefined;

  return {
    append: async (envelopes) => {
      if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'event log is closed');
      if (envelopes.length === 0) return;
      await appender.append(
        envelopes.map((envelope) => ({ bytes: encodeEnvelope(envelope), collector: envelope.principal })),
      );
    },
    consume: async (consumeOptions, onBatch) => {
      if (consumeOptions.partition !== 0) throw new RangeError('the embedded event log has partition 0 only');
      const signal = AbortSignal.any([consumeOptions.signal, stopped.signal]);
      const idle = (): Promise<void> => sleep(sleepers, signal, options.pollMs ?? 20);
      const running = consumeUntilAborted(storage, { ...consumeOptions, signal }, idle, onBatch);
      consumers.add(running);
      try {
        await running;
      } finally {
        consumers.delete(running);
      }
    },
    lag: () =>
      new Promise((resolve) => {
        environment.refresh();
        const { envelopes, bytes } = readState(storage.meta);
        resolve({ envelopes, bytes });
      }),
    close: () => (closing ??= close()),
  };
}

async function consumeUntilAborted(
  storage: LogStorage,
  options: ConsumeOptions,
  idle: () => Promise<void>,
  onBatch: (batch: readonly LoggedEnvelope[]) => Promise<void>,
): Promise<void> {
  await skipTo(storage, options.from);
  while (!options.signal.aborted) {
    const batch = readBatch(storage, options);
    if (batch.envelopes.length === 0) {
      await idle();
    } else {
      await onBatch(batch.envelopes);
      // A crash on this line leaves entries that are sealed; the next consumer starts behind them and skips them.
      await acknowledge(storage, batch.entries);
    }
  }
}

/**
 * Brings the log in line with the ledger, which alone knows which envelopes were sealed.
 *
 * Entries before `from` were sealed by a consumer that died before it could acknowledge them: they are removed. A log
 * whose next offset is *before* `from` was replaced by an empty folder or an older copy. Its entries may be unsealed, so
 * its offsets are shifted up to `from` and all of them are delivered; the sequencer recognises repeated records.
 */
async function skipTo(storage: LogStorage, from: bigint): Promise<void> {
  await storage.environment.commit(() => {
    const state = readState(storage.meta);
    if (state.next >= from) return;
    const shift = from - (state.next - BigInt(state.envelopes));
    writeState(storage.meta, { ...state, next: state.next + shift, shift: state.shift + shift });
  });
  let removed: number;
  do {
    removed = await storage.environment.commit(() => {
      const { shift } = readState(storage.meta);
      if (from <= shift) return 0;
      const range = storage.entries.getRange({ end: toKey(from, shift), limit: REMOVE_MAX_ENTRIES });
      const sealed: StoredEntry[] = [];
      // Keeps sizes only: the bodies together may not fit into memory.
      for (const { key, value } of range) {
        sealed.push({ key, size: value.length, collector: collectorOf(value) });
      }
      removeEntries(storage, sealed);
      return sealed.length;
    });
  } while (removed === REMOVE_MAX_ENTRIES);
}

function readBatch(storage: LogStorage, options: ConsumeOptions): StoredBatch {
  storage.environment.refresh();
  const { shift } = readState(storage.meta);
  const envelopes: LoggedEnvelope[] = [];
  const entries: StoredEntry[] = [];
  let bytes = 0;
  for (const { key, value } of storage.entries.getRange({ limit: options.maxEnvelopes })) {
    // The first envelope is always taken, or one larger than maxBytes would block the log for ever.
    if (entries.length > 0 && bytes + value.length > options.maxBytes) break;
    bytes += value.length;
    const offset = toOffset(key, shift);
    const envelope = decodeEnvelope(value, offset);
    envelopes.push({ offset, envelope });
    entries.push({ key, size: value.length, collector: envelope.principal });
  }
  return { envelopes, entries };
}

async function acknowledge(storage: LogStorage, entries: readonly StoredEntry[]): Promise<void> {
  for (let start = 0; start < entries.length; start += REMOVE_MAX_ENTRIES) {
    const chunk = entries.slice(start, start + REMOVE_MAX_ENTRIES);
    await storage.environment.commit(() => removeEntries(storage, chunk));
  }
}

/** Runs inside a transaction. */
function removeEntries(storage: LogStorage, entries: readonly StoredEntry[]): void {
  const state = readState(storage.meta);
  let { envelopes, bytes } = state;
  const backlog = changeBacklog(storage.meta);
  for (const { key, size, collector } of entries) {
    void storage.entries.remove(key);
    backlog.add(collector, { envelopes: -1, bytes: -size });
    envelopes -= 1;
    bytes -= size;
  }
  writeState(storage.meta, { ...state, envelopes, bytes });
  backlog.write();
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
