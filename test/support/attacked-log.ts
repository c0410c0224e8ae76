/** An embedded event log that somebody without its key changes between two starts, and what is sealed of it. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, beforeEach, expect } from 'vitest';
import { openEnvironment, type BinaryDatabase } from '../../ingest/embedded/environment.ts';
import { openEmbeddedEventLog } from '../../ingest/embedded/event-log.ts';
import { readState, writeState } from '../../ingest/embedded/state.ts';
import type { EventLog } from '../../ingest/event-log.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createOwnRecords } from '../../ingest/own-records.ts';
import { createSequencer, type Sequencer } from '../../ingest/sequencer.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { createRowsProjection } from '../../store/projections/rows.ts';
import { openSeenIds } from '../../store/projections/seen-ids.ts';
import { createTilesProjection } from '../../store/projections/tiles.ts';
import { hookEnvelope } from './hook-envelope.ts';
import { createMemoryGuard, createTestLog } from './ledger.ts';
import { createMemoryArchive } from './memory-archive.ts';
import { createMemoryRecordStore } from './memory-record-store.ts';
import { FRAME_KEY, NUMBERING } from './numbering.ts';
import { makeTempDir } from './server.ts';

/** The clock of the sequencer. */
export const NOW_MS = Date.parse('2026-11-21T09:00:00.000Z');
const named = { surrogates: createSurrogates(Buffer.alloc(32, 7)) };

let folder: Awaited<ReturnType<typeof makeTempDir>>;
export let archive: ReturnType<typeof createMemoryArchive>;
export let options: LedgerOptions;
export let rows: ReturnType<typeof createMemoryRecordStore>;
/** Reasons of the dead letters so far. */
export const letters: string[] = [];

/** An event log in a folder, and a ledger, new for each test of the file that calls it. */
export function useAttackedLog(): void {
  beforeEach(async () => {
    folder = await makeTempDir();
    letters.length = 0;
    rows = createMemoryRecordStore();
    archive = createMemoryArchive();
    options = await createTestLog({ archive, records: rows, guard: createMemoryGuard() });
  });
  afterEach(() => folder.remove());
}

/** Those of a process that just started: what they hold in memory is empty. */
const emptyProjections = () => [
  createRowsProjection(rows),
  createTilesProjection({ log: options.log, archive }),
];

export const openLog = (
  isNumbering = true,
  dir = 'event-log',
  maxBacklogEnvelopes = 10_000,
): Promise<EventLog> =>
  openEmbeddedEventLog({
    newId: randomUUID,
    dir: join(folder.path, dir),
    maxBacklogBytes: 64 * 1024 * 1024,
    maxBacklogEnvelopes,
    pollMs: 2,
    onDeadLetter: ({ reason }) => letters.push(reason),
    ...(isNumbering ? { numbering: NUMBERING } : {}),
  });

/** Appends with one handle, as one process does from its start to its end. */
export async function append(numbers: readonly number[], isNumbering = true, dir?: string): Promise<void> {
  const log = await openLog(isNumbering, dir);
  for (const n of numbers) await log.append([hookEnvelope(n)]);
  await log.close();
}

/** Changes the stored entries, by the keys that they have. */
export async function attack(change: (entries: BinaryDatabase) => void, dir = 'event-log'): Promise<void> {
  const environment = await openEnvironment(join(folder.path, dir), { mapBytes: 1 << 28 });
  const entries = environment.database('entries');
  await environment.commit(() => change(entries));
  await environment.close();
}

/** Takes an entry out, and its share out of the counts. */
export async function remove(offset: number): Promise<void> {
  const environment = await openEnvironment(join(folder.path, 'event-log'), { mapBytes: 1 << 28 });
  const [entries, meta] = [environment.database('entries'), environment.database('meta')];
  await environment.commit(() => {
    const state = readState(meta);
    const bytes = state.bytes - entryAt(entries, offset).length;
    writeState(meta, { ...state, envelopes: state.envelopes - 1, bytes });
    void entries.remove(keyOf(offset));
  });
  await environment.close();
}

export function keyOf(offset: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(offset));
  return key;
}

export const entryAt = (entries: BinaryDatabase, offset: number) => Buffer.from(entries.get(keyOf(offset))!);

export function withChecksum(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
  return frame;
}

export interface Sealing {
  readonly hadUnnumbered?: boolean;
  readonly eventLogKey?: string;
  /** Whether the log is settled and left. */
  readonly isSettling?: boolean;
  /** Whether the operator accepted the log that is there. */
  readonly isAccepted?: boolean;
}

/** Seals everything that waits, as the next start does. */
export async function seal({
  hadUnnumbered,
  eventLogKey = FRAME_KEY.sha256,
  isSettling,
  isAccepted,
}: Sealing = {}): Promise<void> {
  const eventLog = await openLog();
  const seenIds = await openSeenIds({
    ...options,
    records: rows,
    logger: pino({ level: 'silent' }),
    sleep: () => delay(1),
  });
  try {
    const sequencer = createSequencer({
      eventLog,
      eventLogKey,
      hadUnnumbered,
      seenIds,
      ledger: await openLedger({ ...options, projections: [seenIds, ...emptyProjections()] }),
      normalise: createNormaliser(named),
      ownRecord: createOwnRecords(named),
      clock: () => NOW_MS,
      acceptedEventLog: isAccepted === true ? eventLog.id : undefined,
      logger: pino({ level: 'silent' }),
      partition: 0,
      maxBatchEnvelopes: 3,
      maxBatchBytes: 1024 * 1024,
      sleep: () => delay(1),
    });
    if (isSettling === true) await sequencer.settle();
    else await untilEmpty(sequencer, eventLog);
  } finally {
    await eventLog.close();
    await seenIds.close();
  }
}

async function untilEmpty(sequencer: Sequencer, eventLog: EventLog): Promise<void> {
  const stop = new AbortController();
  const running = sequencer.run(stop.signal);
  const ended = running.then(() => undefined);
  const isEmpty = expect.poll(async () => (await eventLog.lag()).envelopes, { timeout: 10_000 }).toBe(0);
  await Promise.race([ended, isEmpty]);
  stop.abort();
  await running;
}

export const toolUses = () =>
  rows.rows.filter(({ source }) => source === 'hook').map(({ tool_use_id }) => tool_use_id);
export const gaps = () =>
  rows.rows
    .filter(({ type }) => type === 'event_log.gap')
    .map(({ reason, first_number, last_number }) => [reason, first_number, last_number]);
export const deadLetters = () =>
  rows.rows.reduce((sum, { dead_letter_count }) => sum + (dead_letter_count ?? 0), 0);
export const repeats = () => rows.rows.reduce((sum, { repeat_count }) => sum + (repeat_count ?? 0), 0);

/** A path beside the event log, which is `event-log`. */
export const at = (name: string) => join(folder.path, name);

/** Archive and rows as they are now. `restore` brings them back, with a head guard that remembers nothing. */
export function backUp(): { restore(): void } {
  const [objects, stored] = [new Map(archive.objects), [...rows.rows]];
  return {
    restore: () => {
      archive.objects.clear();
      for (const [key, bytes] of objects) archive.objects.set(key, bytes);
      rows.rows.splice(0, rows.rows.length, ...stored);
      options = { ...options, guard: createMemoryGuard() };
    },
  };
}
