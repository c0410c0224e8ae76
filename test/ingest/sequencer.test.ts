import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../ingest/embedded/event-log.ts';
import type { EventLog } from '../../ingest/event-log.ts';
import { createNormaliser, type Normalise } from '../../ingest/normalise.ts';
import { createOwnRecords } from '../../ingest/own-records.ts';
import { MAX_BUNDLE_LENGTH } from '../../ingest/seal-batches.ts';
import type { SeenIds } from '../../ingest/seen-ids.ts';
import { settleEventLog } from '../../ingest/settle-event-log.ts';
import { createSequencer, type Sequencer } from '../../ingest/sequencer.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { openLedger, type Ledger } from '../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { openSeenIds } from '../../store/projections/seen-ids.ts';
import { createFaultPlan, type Fault } from '../support/faults.ts';
import { hookEnvelope } from '../support/hook-envelope.ts';
import { appendWhole, createMemoryGuard, createTestLog } from '../support/ledger.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let eventLog: EventLog;
const closing: (() => Promise<void>)[] = [];
let options: LedgerOptions;
let rows: ReturnType<typeof createMemoryRecordStore>;
const faults = createFaultPlan();

beforeEach(async () => {
  folder = await makeTempDir();
  eventLog = await openEmbeddedEventLog({
    newId: randomUUID,
    dir: join(folder.path, 'event-log'),
    maxBacklogBytes: 64 * 1024 * 1024,
    maxBacklogEnvelopes: 10_000,
    pollMs: 2,
  });
  rows = createMemoryRecordStore(faults);
  const archive = createMemoryArchive(faults);
  options = await createTestLog({ archive, records: rows, guard: createMemoryGuard(faults) });
});
afterEach(async () => {
  await eventLog.close();
  for (const close of closing.splice(0)) await close();
  await folder.remove();
});

const named = { surrogates: createSurrogates(Buffer.alloc(32, 7)) };
const normalise = createNormaliser(named);
const ownRecord = createOwnRecords(named);

/** The log as one process has it open. */
interface Opened {
  readonly ledger: Ledger;
  readonly seenIds: SeenIds;
}

async function open(): Promise<Opened> {
  const logger = pino({ level: 'silent' });
  const seenIds = await openSeenIds({ ...options, records: rows, logger, sleep: () => delay(1) });
  closing.push(() => seenIds.close());
  const ledger = await openLedger({ ...options, projections: [seenIds, ...options.projections] });
  return { ledger, seenIds };
}

function sequencerOf(
  { ledger, seenIds }: Opened,
  acceptedEventLog?: string,
  normaliseAs: Normalise = normalise,
): Sequencer {
  return createSequencer({
    ownRecord,
    clock: () => Date.parse('2026-11-21T09:00:00.000Z'),
    acceptedEventLog,
    eventLog,
    ledger,
    seenIds,
    normalise: normaliseAs,
    logger: pino({ level: 'silent' }),
    partition: 0,
    maxBatchEnvelopes: 4,
    maxBatchBytes: 1024 * 1024,
    sleep: () => delay(1),
  });
}

/** Runs until nothing is left to seal. */
async function drain(
  sequencer: Sequencer,
  isDone: () => boolean | Promise<boolean> = async () => (await eventLog.lag()).envelopes === 0,
): Promise<void> {
  const stop = new AbortController();
  const running = sequencer.run(stop.signal);
  const failed = running.then(() => undefined);
  await Promise.race([failed, expect.poll(isDone, { timeout: 10_000 }).toBe(true)]);
  stop.abort();
  await running;
}

const toolUses = () =>
  rows.rows.filter(({ source }) => source === 'hook').map(({ tool_use_id }) => tool_use_id);
const counted = () => rows.rows.filter(({ type }) => type === 'ingest.counted');

describe('the sequencer', () => {
  it('divides a batch whose records are too long for one bundle, and loses nothing', async () => {
    const long = (envelope: Envelope) => ({ ...normalise(envelope), plainLength: MAX_BUNDLE_LENGTH });
    const sequencer = sequencerOf(await open(), undefined, long);
    await eventLog.append([0, 1, 2, 3, 4].map(hookEnvelope));
    await drain(sequencer);
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4']);
    expect(sequencer.counters).toMatchObject({ envelopes: 5, records: 5, batches: 5, failures: 0 });
  });

  it('seals what was appended, once and in order, and counts repeats', async () => {
    const sequencer = sequencerOf(await open());
    await eventLog.append([0, 1, 2, 1, 3].map(hookEnvelope));
    await drain(sequencer);
    await eventLog.append([3, 4, 0].map(hookEnvelope));
    await drain(sequencer);
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4']);
    expect(sequencer.counters).toMatchObject({
      envelopes: 8,
      records: 5,
      duplicates: 3,
      quarantined: 0,
      failures: 0,
    });
  });

  it('recognises after a start what was sealed before it', async () => {
    await eventLog.append([0, 1, 2].map(hookEnvelope));
    await drain(sequencerOf(await open()));
    await eventLog.append([2, 3].map(hookEnvelope));
    await drain(sequencerOf(await open()));
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3']);
    expect(counted()).toHaveLength(1);
  });

  const writes = ['payload', 'bundle', 'rows', 'guard', 'checkpoint'];
  const cases = writes.flatMap((write) =>
    (['not-applied', 'applied'] as Fault[]).map((fault) => ({ write, fault })),
  );

  it.each(cases)(
    'goes on by itself after $write failed, $fault, with every record once',
    async ({ write, fault }) => {
      const sequencer = sequencerOf(await open());
      await eventLog.append(Array.from({ length: 10 }, (_, n) => hookEnvelope(n)));
      faults.arm(write, fault, 2);
      await drain(sequencer);
      expect(toolUses()).toEqual(Array.from({ length: 10 }, (_, n) => `t${n}`));
      expect(sequencer.counters.failures).toBe(1);
      expect(sequencer.state()).toEqual({ state: 'idle' });
    },
  );

  it('says nothing is retried once a recovery has sealed the last batch, with nothing new to come', async () => {
    const sequencer = sequencerOf(await open());
    await eventLog.append([0].map(hookEnvelope));
    faults.arm('guard', 'not-applied');
    await drain(sequencer);
    expect(toolUses()).toEqual(['t0']);
    expect(sequencer.counters.failures).toBe(1);
    expect(sequencer.state()).toEqual({ state: 'idle' });
  });

  it('tries again when it is not known whether an id is sealed', async () => {
    const { ledger, seenIds } = await open();
    let failures = 0;
    const has: SeenIds['has'] = (ids) => {
      failures += 1;
      if (failures > 1) return seenIds.has(ids);
      return Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'broken by the test'));
    };
    const sequencer = sequencerOf({ ledger, seenIds: { has } });
    await eventLog.append([0].map(hookEnvelope));
    await drain(sequencer);
    expect(toolUses()).toEqual(['t0']);
    expect(sequencer.counters.failures).toBe(1);
  });

  it('says why it does not seal now, not why it did not at first', async () => {
    const { ledger, seenIds } = await open();
    const said: unknown[] = [];
    let failures = 0;
    const failing: Ledger = {
      ...ledger,
      recover() {
        said.push(sequencer.state());
        failures += 1;
        if (failures > 1) return ledger.recover();
        return Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'broken by the test'));
      },
    };
    const sequencer = sequencerOf({ ledger: failing, seenIds });
    await eventLog.append([0].map(hookEnvelope));
    faults.arm('bundle', 'not-applied');
    await drain(sequencer);
    expect(said).toMatchObject([
      { state: 'retrying', reason: 'ARCHIVE_UNAVAILABLE' },
      { state: 'retrying', reason: 'STORE_UNAVAILABLE', detail: 'broken by the test' },
    ]);
  });

  it('acknowledges no repetition of what another one sealed and may not have published', async () => {
    const [one, two] = [await open(), await open()];
    await eventLog.append([0].map(hookEnvelope));
    const { records } = normalise(hookEnvelope(0));
    await one.ledger.append({ records, next_offset: 1n, duplicate_count: 0 });
    await expect(drain(sequencerOf(two))).rejects.toMatchObject({ code: 'LEDGER_LOST_RACE' });
    expect((await eventLog.lag()).envelopes).toBe(1);
  });

  it('stops where going on could fork the log', async () => {
    const [one, two] = [await open(), await open()];
    const late = sequencerOf(two);
    await late.settle();
    await eventLog.append([0].map(hookEnvelope));
    await drain(sequencerOf(one));
    await eventLog.append([1].map(hookEnvelope));
    await expect(late.run(new AbortController().signal)).rejects.toMatchObject({
      code: 'LEDGER_LOST_RACE',
    });
    expect(toolUses()).toEqual(['t0']);
    expect((await eventLog.lag()).envelopes).toBe(1);
  });

  it('reads the newest head before it settles a place whose entries another process has sealed', async () => {
    const [one, two] = [await open(), await open()];
    await eventLog.append([0].map(hookEnvelope));
    await drain(sequencerOf(one));
    await eventLog.append([1].map(hookEnvelope));
    await drain(sequencerOf(two));
    expect(toolUses()).toEqual(['t0', 't1']);
  });

  it('seals the position and the count of a batch that holds repeats alone', async () => {
    await eventLog.append([0].map(hookEnvelope));
    await drain(sequencerOf(await open()));
    await eventLog.append([0, 0].map(hookEnvelope));
    await drain(sequencerOf(await open()));
    const { ledger } = await open();
    expect(ledger.nextOffset()).toBe(3n);
    expect(counted()).toMatchObject([
      { envelope_count: 2, repeat_count: 2, dead_letter_count: 0, event_log: eventLog.id },
    ]);
  });

  it('seals no count where every envelope became new records', async () => {
    await eventLog.append([0, 1].map(hookEnvelope));
    await drain(sequencerOf(await open()));
    expect(counted()).toEqual([]);
  });

  it('believes a removed place only at the newest head, which another process may have moved', async () => {
    const [one, two] = [await open(), await open()];
    const { records } = normalise(hookEnvelope(0));
    await appendWhole(one.ledger, { records, next_offset: 1n, duplicate_count: 0, event_log: eventLog.id });
    const refused = new PipelineError('START_REFUSED', 'offset 0 was removed');
    const given = eventLog;
    const settle: EventLog['settle'] = (_, from) =>
      from === 0n ? Promise.reject(refused) : Promise.resolve(from ?? 0n);
    eventLog = { ...given, settle, close: () => given.close() };
    await sequencerOf(two).settle();
    expect(two.ledger.nextOffset()).toBe(1n);
    eventLog = { ...given, settle: () => Promise.reject(refused), close: () => given.close() };
    await expect(sequencerOf(two).settle()).rejects.toBe(refused);
  });

  it('says at each beginning which entries are sealed, and ends where the log says that it is another one', async () => {
    const { ledger, seenIds } = await open();
    const numbers: (boolean | undefined)[] = [];
    const mark = (number: number) => ({
      writer: 'w',
      number,
      abandonedFrom: number,
      previousMac: '',
      mac: '',
    });
    const replaced = new PipelineError('EVENT_LOG_REPLACED', 'no entry before the place was sealed');
    const consume: EventLog['consume'] = ({ isSealed }) => {
      numbers.push(...[1, 2].map((number) => isSealed?.(mark(number))));
      return Promise.reject(replaced);
    };
    const given = eventLog;
    eventLog = { ...given, consume, close: () => given.close() };
    const head = { writer: 'w', number: 1, mac: '0'.repeat(64), received_at: '2026-11-21T08:59:59.000Z' };
    for (const writers of [undefined, { key_sha256: '0'.repeat(64), heads: [head] }]) {
      let isSettled = false;
      const sequencer = sequencerOf({
        seenIds,
        ledger: { ...ledger, writers: () => (isSettled ? writers : undefined) },
      });
      await sequencer.settle();
      isSettled = true;
      await expect(sequencer.run(new AbortController().signal)).rejects.toBe(replaced);
    }
    expect(numbers).toEqual([undefined, undefined, true, false]);
  });

  it('neither counts nor seals what the event log delivers again, and keeps its position', async () => {
    await eventLog.append([0, 1].map(hookEnvelope));
    const opened = await open();
    const { ledger } = opened;
    await drain(sequencerOf(opened));
    const again = [0, 1].map((n) => ({ offset: BigInt(n), envelope: hookEnvelope(n) }));
    let deliveries = 0;
    const consume: EventLog['consume'] = async ({ signal }, onBatch) => {
      await onBatch({ envelopes: again.slice(0, 1), deadLetters: [], nextOffset: 1n });
      await onBatch({ envelopes: again, deadLetters: [], nextOffset: 2n });
      deliveries += 2;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    };
    const given = eventLog;
    eventLog = { ...given, consume, close: () => given.close() };
    await drain(sequencerOf(opened), () => deliveries === 2);
    expect(counted()).toEqual([]);
    expect([ledger.treeSize(), ledger.nextOffset()]).toEqual([2, 2n]);
  });

  it('seals how many entries held no envelope, and the position behind them', async () => {
    const opened = await open();
    const { ledger } = opened;
    const delivered = { envelopes: [], deadLetters: [4n, 6n], nextOffset: 7n };
    const consume: EventLog['consume'] = async ({ signal }, onBatch) => {
      if (ledger.nextOffset() === 0n) await onBatch(delivered);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    };
    const given = eventLog;
    eventLog = { ...given, consume, close: () => given.close() };
    await drain(sequencerOf(opened), () => counted().length === 1);
    expect(counted()).toMatchObject([{ envelope_count: 0, repeat_count: 0, dead_letter_count: 2 }]);
    // No bundle names a writer, so nobody knows since when.
    expect(counted()[0]).not.toHaveProperty('missing_since');
    expect(ledger.nextOffset()).toBe(7n);
  });

  it('counts a dead letter in the bundle whose position passes it, once', async () => {
    const opened = await open();
    const { ledger } = opened;
    const logged = [0, 2, 4, 5, 7].map((n) => ({ offset: BigInt(n), envelope: hookEnvelope(n) }));
    const delivered = { envelopes: logged, deadLetters: [1n, 3n, 6n, 8n], nextOffset: 9n };
    const consume: EventLog['consume'] = async ({ signal }, onBatch) => {
      const isSealed = ledger.nextOffset() === 9n;
      // The second bundle fails, so what follows the first is delivered again, beside what was sealed.
      if (!isSealed) await onBatch(delivered);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    };
    const given = eventLog;
    eventLog = { ...given, consume, close: () => given.close() };
    faults.arm('bundle', 'not-applied', 2);
    await drain(sequencerOf(opened), () => ledger.nextOffset() === 9n && counted().length === 2);
    expect(counted()).toMatchObject([{ dead_letter_count: 2 }, { dead_letter_count: 2 }]);
    expect(rows.rows.map(({ tool_use_id, type }) => tool_use_id ?? type)).toEqual([
      ...['t0', 't2', 't4', 't5', 'ingest.counted', 't7', 'ingest.counted'],
    ]);
  });
});

describe('the sequencer on another event log than the ledger was read from', () => {
  /** Seals one envelope, loses the log with one that is not sealed, and appends to the empty log in its place. */
  async function replaceLog(): Promise<{ readonly before: string }> {
    await eventLog.append([0].map(hookEnvelope));
    await drain(sequencerOf(await open()));
    const before = eventLog.id!;
    await eventLog.close();
    eventLog = await openEmbeddedEventLog({
      newId: randomUUID,
      dir: join(folder.path, 'event-log-anew'),
      maxBacklogBytes: 64 * 1024 * 1024,
      maxBacklogEnvelopes: 10_000,
      pollMs: 2,
    });
    await eventLog.append([1, 2, 3].map(hookEnvelope));
    return { before };
  }

  it('refuses it, and removes nothing of it', async () => {
    const { before } = await replaceLog();
    const sequencer = sequencerOf(await open());
    const refusal = { code: 'EVENT_LOG_REPLACED', detail: expect.stringContaining(before) as string };
    await expect(sequencer.settle()).rejects.toMatchObject(refusal);
    await expect(sequencer.run(new AbortController().signal)).rejects.toMatchObject(refusal);
    expect((await eventLog.lag()).envelopes).toBe(3);
    expect(toolUses()).toEqual(['t0']);
  });

  it('reads it from its beginning once the operator accepted it, and seals that word first', async () => {
    const { before } = await replaceLog();
    await drain(sequencerOf(await open(), eventLog.id));
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3']);
    expect(rows.rows.map(({ type }) => type).indexOf('event_log.replaced')).toBe(1);
    expect(rows.rows[1]).toMatchObject({ event_log: eventLog.id, previous_event_log: before });
    const { ledger } = await open();
    expect([ledger.nextOffset(), ledger.eventLog()]).toEqual([3n, eventLog.id]);
    expect(rows.rows[1]).not.toHaveProperty('missing_since');
  });

  it('says that what was not sealed was received since the newest entry that a bundle holds', async () => {
    await replaceLog();
    const opened = await open();
    const received_at = '2026-11-20T23:00:00.000Z';
    const head = { writer: 'a'.repeat(32), number: 1, mac: 'b'.repeat(64), received_at };
    const writers = { key_sha256: 'c'.repeat(64), heads: [head] };
    const options = { acceptedEventLog: eventLog.id, eventLogKey: writers.key_sha256 };
    const ledger = { ...opened.ledger, writers: () => writers };
    await settleEventLog({
      ...options,
      eventLog,
      ledger,
      ownRecord,
      clock: () => Date.parse('2026-11-21T09:00:00.000Z'),
      logger: pino({ level: 'silent' }),
      partition: 0,
    });
    expect(rows.rows[1]).toMatchObject({ type: 'event_log.replaced', missing_since: received_at });
  });
});
