/** Somebody who can write to the files of the embedded event log, and does not have its key. */
import { randomUUID } from 'node:crypto';
import { cp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEnvironment, type BinaryDatabase } from '../../ingest/embedded/environment.ts';
import { openEmbeddedEventLog } from '../../ingest/embedded/event-log.ts';
import { readState, writeState, type LogState } from '../../ingest/embedded/state.ts';
import type { EventLog } from '../../ingest/event-log.ts';
import { toFrameKey } from '../../ingest/frame-key.ts';
import { encodeEnvelope } from '../../ingest/framing.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createOwnRecords } from '../../ingest/own-records.ts';
import { createSequencer, type Sequencer } from '../../ingest/sequencer.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import { openSeenIds } from '../../store/projections/seen-ids.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { hookEnvelope } from '../support/hook-envelope.ts';
import { createMemoryGuard, createTestLog } from '../support/ledger.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { FRAME_KEY, NUMBERING } from '../support/numbering.ts';
import { makeTempDir } from '../support/server.ts';

const NOW_MS = Date.parse('2026-11-21T09:00:00.000Z');
const named = { surrogates: createSurrogates(Buffer.alloc(32, 7)), retentionClass: 'standard' };

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let archive: ReturnType<typeof createMemoryArchive>;
let options: LedgerOptions;
let rows: ReturnType<typeof createMemoryRecordStore>;
const letters: string[] = [];

beforeEach(async () => {
  folder = await makeTempDir();
  letters.length = 0;
  rows = createMemoryRecordStore();
  archive = createMemoryArchive();
  options = await createTestLog({ archive, records: rows, guard: createMemoryGuard() });
});
afterEach(() => folder.remove());

const openLog = (isNumbering = true, dir = 'event-log', maxBacklogEnvelopes = 10_000): Promise<EventLog> =>
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
async function append(numbers: readonly number[], isNumbering = true, dir?: string): Promise<void> {
  const log = await openLog(isNumbering, dir);
  for (const n of numbers) await log.append([hookEnvelope(n)]);
  await log.close();
}

/** Changes the stored entries, by the keys that they have. */
async function attack(change: (entries: BinaryDatabase) => void, dir = 'event-log'): Promise<void> {
  const environment = await openEnvironment(join(folder.path, dir), { mapBytes: 1 << 28 });
  const entries = environment.database('entries');
  await environment.commit(() => change(entries));
  await environment.close();
}

/** Takes an entry out, and its share out of the counts. */
async function remove(offset: number): Promise<void> {
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

function keyOf(offset: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(offset));
  return key;
}

const entryAt = (entries: BinaryDatabase, offset: number) => Buffer.from(entries.get(keyOf(offset))!);

function withChecksum(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
  return frame;
}

interface Sealing {
  readonly hadUnnumbered?: boolean;
  readonly eventLogKey?: string;
  /** Whether the log is settled and left. */
  readonly isSettling?: boolean;
  /** Whether the operator accepted the log that is there. */
  readonly isAccepted?: boolean;
}

/** Seals everything that waits, as the next start does. */
async function seal({
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
      ledger: await openLedger({ ...options, projections: [seenIds, ...options.projections] }),
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

const toolUses = () =>
  rows.rows.filter(({ source }) => source === 'hook').map(({ tool_use_id }) => tool_use_id);
const gaps = () =>
  rows.rows
    .filter(({ type }) => type === 'event_log.gap')
    .map(({ reason, first_number, last_number }) => [reason, first_number, last_number]);
const deadLetters = () => rows.rows.reduce((sum, { dead_letter_count }) => sum + (dead_letter_count ?? 0), 0);
const repeats = () => rows.rows.reduce((sum, { repeat_count }) => sum + (repeat_count ?? 0), 0);
const FORGED = 'event log entry: MAC does not match';

it('seals an honest log of several processes without a finding, and names the writers in its bundles', async () => {
  await append([0, 1, 2, 3]);
  await append([4, 5]);
  await seal();
  await append([6]);
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5', 't6']);
  expect([gaps(), letters]).toEqual([[], []]);
  const { writers } = { writers: (await openLedger(options)).writers()! };
  expect(writers.key_sha256).toBe(FRAME_KEY.sha256);
  expect(writers.heads.map(({ number }) => number)).toEqual([4, 2, 1]);
});

it('gives no number to an append that is refused, so that it leaves no gap', async () => {
  const log = await openLog(true, 'event-log', 2);
  await log.append([hookEnvelope(0)]);
  const refused = log.append([1, 2, 3].map(hookEnvelope));
  await expect(refused).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
  await log.append([hookEnvelope(4)]);
  await expect(log.append([hookEnvelope(5)])).rejects.toMatchObject({ code: 'LOG_PUSHBACK' });
  await seal();
  await log.append([hookEnvelope(6)]);
  await log.close();
  await seal();
  expect(toolUses()).toEqual(['t0', 't4', 't6']);
  expect([gaps(), letters]).toEqual([[], []]);
});

it('does not seal an entry that was edited with its checksum made to fit, and says so', async () => {
  await append([0, 1, 2, 3]);
  await attack((entries) => {
    const edited = entryAt(entries, 1);
    const at = edited.indexOf('ls -la');
    expect(at).toBeGreaterThan(0);
    edited.write('rm -rf', at);
    void entries.put(keyOf(1), withChecksum(edited));
  });
  await seal();
  expect(toolUses()).toEqual(['t0', 't2', 't3']);
  expect(rows.rows.some(({ content }) => content.includes('rm -rf'))).toBe(false);
  expect(letters).toEqual([FORGED]);
  expect(deadLetters()).toBe(1);
  expect(gaps()).toEqual([['missing', 2, 2]]);
  expect(await readdir(join(folder.path, 'event-log', 'dead-letters'))).toHaveLength(1);
});

it('says that an entry was taken out of the middle', async () => {
  await append([0, 1, 2, 3]);
  await remove(1);
  await seal();
  expect(toolUses()).toEqual(['t0', 't2', 't3']);
  expect(gaps()).toEqual([['missing', 2, 2]]);
});

it('says so too where the entries before were sealed by an earlier start', async () => {
  const log = await openLog();
  await log.append([0, 1].map(hookEnvelope));
  await seal();
  const received_at = '2026-11-21T23:59:59.000Z';
  await log.append([hookEnvelope(2), { ...hookEnvelope(3), received_at }]);
  await log.close();
  await remove(2);
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't3']);
  expect(gaps()).toEqual([['missing', 3, 3]]);
  const { received_at: missing_since } = hookEnvelope(1);
  expect(rows.rows.find(({ type }) => type === 'event_log.gap')).toMatchObject({
    missing_since,
    received_at,
  });
});

it('says of dead letters that they were received between the entry before them and now', async () => {
  const log = await openLog();
  await log.append([hookEnvelope(0)]);
  await seal();
  await log.append([1, 2, 3].map(hookEnvelope));
  await log.close();
  const spoil = (offset: number) =>
    attack((entries) => void entries.put(keyOf(offset), Buffer.from('no envelope')));
  for (const offset of [2, 3]) await spoil(offset);
  await seal();
  await append([4]);
  await spoil(4);
  await seal();
  const counts = rows.rows.filter(({ type }) => type === 'ingest.counted');
  expect(counts.map(({ missing_since, dead_letter_count }) => [missing_since, dead_letter_count])).toEqual([
    [hookEnvelope(0).received_at, 2],
    [hookEnvelope(0).received_at, 1],
  ]);
  // The last envelope of the first bundle lies before its dead letters, so it does not date them.
  expect(counts.map(({ received_at }) => Date.parse(received_at))).toEqual([NOW_MS, NOW_MS]);
});

it('says that two entries were swapped, and seals both', async () => {
  await append([0, 1, 2, 3]);
  await attack((entries) => {
    const [one, two] = [entryAt(entries, 1), entryAt(entries, 2)];
    void entries.put(keyOf(1), two);
    void entries.put(keyOf(2), one);
  });
  await seal();
  expect([...toolUses()].sort()).toEqual(['t0', 't1', 't2', 't3']);
  expect(gaps()).toEqual([['missing', 2, 2]]);
});

it('takes a copy of an entry for a repeat, which is counted and not sealed again', async () => {
  await append([0, 1, 2, 3]);
  await attack((entries) => void entries.put(keyOf(3), entryAt(entries, 0)));
  await append([4]);
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't4']);
  expect(repeats()).toBe(1);
  // The overwritten entry was the last of its writer, which never wrote again: nothing shows that it is missing.
  expect(gaps()).toEqual([]);
});

it('does not seal an entry of another log under the same key', async () => {
  await append([0, 1]);
  await append([8], true, 'other-log');
  let foreign: Buffer | undefined;
  await attack((entries) => (foreign = entryAt(entries, 0)), 'other-log');
  await attack((entries) => void entries.put(keyOf(1), foreign!));
  await seal();
  expect(toolUses()).toEqual(['t0']);
  expect([letters, deadLetters()]).toEqual([[FORGED], 1]);
});

it('does not seal an entry without a number in a deployment that always had the key', async () => {
  await append([0]);
  await attack((entries) => void entries.put(keyOf(0), encodeEnvelope(hookEnvelope(9))));
  await seal();
  expect(toolUses()).toEqual([]);
  expect(letters).toEqual(['event log entry: no writer of this deployment numbered it']);
});

it('seals entries of an older version that lie before the first numbered one, and none after that', async () => {
  await append([0, 1], false);
  await append([2]);
  await seal({ hadUnnumbered: true });
  expect(toolUses()).toEqual(['t0', 't1', 't2']);
  await append([3], false);
  await append([4]);
  await seal({ hadUnnumbered: true });
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't4']);
  expect(letters).toEqual(['event log entry: no writer of this deployment numbered it']);
});

/** Archive and rows as they are now. `restore` brings them back, with a head guard that remembers nothing. */
function backUp(): { restore(): void } {
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

it('refuses an older archive, though rows and head guard are as old, and removes nothing that waits', async () => {
  await append([0, 1, 2]);
  await seal();
  const older = backUp();
  await append([3, 4]);
  await seal();
  const newer = backUp();
  await append([5]);
  older.restore();
  await expect(seal()).rejects.toMatchObject({
    code: 'START_REFUSED',
    detail: expect.stringContaining('the archive is an older copy') as string,
  });
  newer.restore();
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5']);
});

it('refuses another key than that of the newest bundle, with which every entry would look forged', async () => {
  await append([0]);
  await seal();
  await append([1]);
  const eventLogKey = toFrameKey(Buffer.alloc(32, 9)).sha256;
  await expect(seal({ eventLogKey, isSettling: true })).rejects.toMatchObject({
    code: 'START_REFUSED',
    detail: expect.stringContaining(FRAME_KEY.sha256) as string,
  });
  await seal();
  expect(toolUses()).toEqual(['t0', 't1']);
});

describe('a log whose folder was exchanged or whose counts were changed', () => {
  const at = (name: string) => join(folder.path, name);
  const setState = async (change: (state: LogState) => LogState) => {
    const environment = await openEnvironment(at('event-log'), { mapBytes: 1 << 28 });
    const meta = environment.database('meta');
    await environment.commit(() => writeState(meta, change(readState(meta))));
    await environment.close();
  };
  const lag = async () => {
    const log = await openLog();
    const { envelopes } = await log.lag();
    await log.close();
    return envelopes;
  };

  it('seals what waits in a copy that went on by itself, once it is back', async () => {
    await append([0]);
    await seal();
    await cp(at('event-log'), at('backup'), { recursive: true });
    await append([1, 2, 3]);
    await rename(at('event-log'), at('original'));
    await rename(at('backup'), at('event-log'));
    await append([4, 5, 6, 7]);
    await seal();
    await rm(at('event-log'), { recursive: true });
    await rename(at('original'), at('event-log'));
    await append([8]);
    await seal();
    expect(toolUses()).toEqual(['t0', 't4', 't5', 't6', 't7', 't1', 't2', 't3', 't8']);
    expect([gaps(), letters]).toEqual([[], []]);
  });

  it('seals nothing twice where an older copy of an earlier log is accepted again and again', async () => {
    await append([0, 1, 2]);
    await seal();
    await append([0, 1, 3]);
    await cp(at('event-log'), at('earlier'), { recursive: true });
    await seal();
    for (const round of [1, 2]) {
      await rm(at('event-log'), { recursive: true });
      await append([10 * round]);
      await seal({ isAccepted: true });
      await rm(at('event-log'), { recursive: true });
      await cp(at('earlier'), at('event-log'), { recursive: true });
      await append([10 * round + 1]);
      await seal({ isAccepted: true });
    }
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't10', 't11', 't20', 't21']);
    const ids = rows.rows.map(({ id }) => id);
    expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([]);
    expect(gaps()).toEqual([]);
  });

  it.each([
    ['set to 0', (state: LogState) => ({ ...state, next: 0n })],
    ['lowered', (state: LogState) => ({ ...state, next: state.next - 2n })],
    ['raised', (state: LogState) => ({ ...state, next: state.next + 7n })],
    ['shifted', (state: LogState) => ({ ...state, shift: 5n })],
    ['counted too low', (state: LogState) => ({ ...state, envelopes: 0, bytes: 0 })],
    ['counted too high', (state: LogState) => ({ ...state, envelopes: 50, bytes: 50_000 })],
  ])('loses nothing where the head of the log was %s', async (_, change) => {
    await append([0, 1, 2]);
    await seal();
    await append([3, 4]);
    await setState(change);
    await append([5]);
    await seal();
    await append([6, 7]);
    await seal();
    const sealed = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `t${n}`);
    expect([...toolUses()].sort()).toEqual(sealed);
    expect(await lag()).toBe(0);
  });

  it('has no backlog once an entry was taken out beside its counts', async () => {
    await append([0, 1, 2]);
    await attack((entries) => void entries.remove(keyOf(1)));
    await seal();
    expect(toolUses()).toEqual(['t0', 't2']);
    expect(gaps()).toEqual([['missing', 2, 2]]);
    expect(await lag()).toBe(0);
  });

  it.each([
    ['the next key', 3],
    ['a free key behind it', 5],
  ])('goes on beside an entry that was put at %s', async (_, offset) => {
    await append([0, 1, 2]);
    await attack((entries) => void entries.put(keyOf(offset), Buffer.from('forged')));
    await seal();
    await append([3, 4, 5]);
    await seal();
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5']);
    expect(deadLetters()).toBe(1);
    expect(await lag()).toBe(0);
  });

  it('counts a dead letter once where the process died between sealing and removing', async () => {
    await append([0, 1]);
    await attack((entries) => void entries.put(keyOf(2), Buffer.from('forged')));
    await append([3]);
    await cp(at('event-log'), at('before'), { recursive: true });
    await seal();
    await rm(at('event-log'), { recursive: true });
    await rename(at('before'), at('event-log'));
    await append([4]);
    await seal();
    expect(toolUses()).toEqual(['t0', 't1', 't3', 't4']);
    expect(deadLetters()).toBe(1);
    expect([gaps(), repeats()]).toEqual([[], 0]);
  });

  it('counts a damaged entry that waits in a copy that went on by itself', async () => {
    await append([0]);
    await seal();
    await cp(at('event-log'), at('backup'), { recursive: true });
    await append([1, 2, 3]);
    await attack((entries) => void entries.put(keyOf(1), Buffer.from('damaged')));
    await rename(at('event-log'), at('original'));
    await rename(at('backup'), at('event-log'));
    await append([4, 5, 6, 7]);
    await seal();
    await rm(at('event-log'), { recursive: true });
    await rename(at('original'), at('event-log'));
    await seal();
    expect(toolUses()).toEqual(['t0', 't4', 't5', 't6', 't7', 't2', 't3']);
    expect(deadLetters()).toBe(1);
    expect(gaps()).toEqual([['missing', 1, 1]]);
  });

  it('refuses an entry that no appender can have written', async () => {
    await append([0]);
    await attack((entries) => void entries.put(Buffer.from('ab'), Buffer.from('forged')));
    await expect(seal({ isSettling: true })).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  });
});
