/** Since when the embedded event log waits to be sealed. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BacklogAge } from '../../../ingest/embedded/backlog-age.ts';
import { openEnvironment, type BinaryDatabase } from '../../../ingest/embedded/environment.ts';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import { readState, toStoredKey, writeState } from '../../../ingest/embedded/state.ts';
import type { EventLog } from '../../../ingest/event-log.ts';
import { encodeEnvelope } from '../../../ingest/framing.ts';
import { toInstant } from '../../../schemas/clock.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';
import { makeTempDir } from '../../support/server.ts';

const TODAY_MS = Date.parse('2026-11-21T09:00:00.000Z');
const DAY_MS = 86_400_000;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let log: EventLog;
/** Next offset to consume. */
let from: bigint;
beforeEach(async () => {
  folder = await makeTempDir();
  log = await openLog();
  from = 0n;
});
afterEach(async () => {
  await log.close();
  await folder.remove();
});

const dir = () => join(folder.path, 'event-log');
const openLog = () =>
  openEmbeddedEventLog({
    newId: randomUUID,
    dir: dir(),
    maxBacklogBytes: 1 << 28,
    maxBacklogEnvelopes: 100_000,
    pollMs: 1,
  });

const append = (receivedMs: readonly number[], body?: Buffer): Promise<void> =>
  log.append(
    receivedMs.map((ms, index) => ({ ...envelopeOf(`e${index}`, body), received_at: toInstant(ms) })),
  );

async function seal(count: number): Promise<void> {
  await consumeCount(log, count, { from, maxEnvelopes: count });
  from += BigInt(count);
}

const oldestMs = async (): Promise<number | undefined> => {
  const { oldestReceivedAt } = await log.lag();
  return oldestReceivedAt === undefined ? undefined : Date.parse(oldestReceivedAt);
};

async function change(apply: (entries: BinaryDatabase, meta: BinaryDatabase) => void): Promise<void> {
  const environment = await openEnvironment(dir(), { mapBytes: 1 << 28 });
  const [entries, meta] = [environment.database('entries'), environment.database('meta')];
  await environment.commit(() => apply(entries, meta));
  await environment.close();
}

it('is the earliest receipt of all, where the clock was ahead as the first envelope came', async () => {
  await append([TODAY_MS + 2 * DAY_MS]);
  expect(await oldestMs()).toBe(TODAY_MS + 2 * DAY_MS);
  await append(Array.from({ length: 40 }, (_, index) => TODAY_MS + index));
  expect(await oldestMs()).toBe(TODAY_MS);
  await seal(5);
  expect(await oldestMs()).toBe(TODAY_MS + 4);
  await append([TODAY_MS - 1]);
  expect(await oldestMs()).toBe(TODAY_MS - 1);
  await seal(37);
  expect(await log.lag()).toEqual({ envelopes: 0, bytes: 0 });
});

it('passes over entries that hold no envelope, and is not known only where all are such', async () => {
  await append([TODAY_MS, TODAY_MS + 1, TODAY_MS + 2]);
  await change((entries) => void entries.put(toStoredKey(0n), Buffer.from('junk')));
  expect(await oldestMs()).toBe(TODAY_MS + 1);
  await change((entries) => void entries.put(toStoredKey(1n), Buffer.from('junk')));
  await change((entries) => void entries.put(toStoredKey(2n), Buffer.from('junk')));
  await log.close();
  log = await openLog();
  expect(await log.lag()).toEqual({ envelopes: 3, bytes: 12 });
});

it('sees what another process appends, removes, or writes at a key that was read before', async () => {
  const other = await openLog();
  await append([TODAY_MS + 5, TODAY_MS + 3]);
  expect(await oldestMs()).toBe(TODAY_MS + 3);
  await other.append([{ ...envelopeOf('x'), received_at: toInstant(TODAY_MS + 4) }]);
  await change((entries) => void entries.remove(toStoredKey(1n)));
  expect(await oldestMs()).toBe(TODAY_MS + 4);
  await change((entries, meta) => {
    void entries.remove(toStoredKey(2n));
    writeState(meta, { ...readState(meta), next: 1n });
  });
  await other.append([{ ...envelopeOf('y'), received_at: toInstant(TODAY_MS) }]);
  expect(await oldestMs()).toBe(TODAY_MS);
  await other.close();
});

it('leaves out an entry that others put behind the next offset, and reads on in front of it', async () => {
  await append([TODAY_MS + 5]);
  const forged = encodeEnvelope({ ...envelopeOf('f'), received_at: toInstant(TODAY_MS - DAY_MS) });
  await change((entries) => void entries.put(toStoredKey(500n), forged));
  expect(await oldestMs()).toBe(TODAY_MS + 5);
  await append([TODAY_MS + 4]);
  expect(await oldestMs()).toBe(TODAY_MS + 4);
});

it('is that of a search of all entries, whatever is appended and sealed', async () => {
  const receivedMs = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((ms) => TODAY_MS + ms),
    fc.integer({ min: -3000, max: 3000 }).map((ms) => TODAY_MS + ms),
    fc.constant(TODAY_MS + 2 * DAY_MS),
  );
  const step = fc.record({ adds: fc.array(receivedMs, { maxLength: 12 }), seals: fc.nat({ max: 10 }) });
  let waiting: number[] = [];
  const judge = async (steps: readonly { adds: number[]; seals: number }[]): Promise<void> => {
    for (const { adds, seals } of steps) {
      await append(adds);
      waiting = waiting.concat(adds);
      const count = Math.min(seals, waiting.length);
      if (count > 0) await seal(count);
      waiting = waiting.slice(count);
      expect(await oldestMs()).toBe(waiting.length === 0 ? undefined : Math.min(...waiting));
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), judge), { numRuns: 25 });
}, 60_000);

it('lets other work have its turn while it reads a long backlog, and answers all that ask', async () => {
  const count = 12_000;
  for (let start = 0; start < count; start += 2000) {
    await append(Array.from({ length: 2000 }, (_, index) => TODAY_MS + start + index));
  }
  let turns = 0;
  let isCounting = true;
  const countTurns = (): void => {
    turns += 1;
    if (isCounting) setImmediate(countTurns);
  };
  setImmediate(countTurns);
  const lags = await Promise.all([log.lag(), log.lag(), log.lag()]);
  isCounting = false;
  const oldest = toInstant(TODAY_MS);
  for (const lag of lags) expect(lag).toMatchObject({ envelopes: count, oldestReceivedAt: oldest });
  expect(turns).toBeGreaterThanOrEqual(count / 2000 - 1);
  // Past the ends of stretches, each of which is read again.
  for (const offset of [1, 1500, 3500, 9001]) {
    await seal(offset - Number(from));
    expect(await oldestMs()).toBe(TODAY_MS + offset);
  }
});

it('reads few bytes in a turn', async () => {
  await append(
    Array.from({ length: 30 }, (_, index) => TODAY_MS + index),
    Buffer.alloc(1024 * 1024),
  );
  const first = { envelopes: 30, oldestReceivedAt: toInstant(TODAY_MS) };
  expect(await log.lag()).toMatchObject(first);
  await seal(3);
  expect(await oldestMs()).toBe(TODAY_MS + 3);
});

it('answers without the age at its deadline, and knows it later', async () => {
  for (let start = 0; start < 3; start += 1) {
    await append(Array.from({ length: 4000 }, (_, index) => TODAY_MS + 4000 * start + index));
  }
  await log.close();
  const environment = await openEnvironment(dir(), { mapBytes: 1 << 28 });
  const storage = {
    environment,
    entries: environment.database('entries'),
    meta: environment.database('meta'),
  };
  const age = new BacklogAge(storage, 0);
  const hurried = await age.lag();
  expect(hurried.envelopes).toBe(12_000);
  expect(hurried.oldestReceivedAt).toBeUndefined();
  await expect.poll(async () => (await age.lag()).oldestReceivedAt).toBe(toInstant(TODAY_MS));
  await age.stop();
  await environment.close();
});

it('answers a question that is under way when the log is closed, and refuses one after that', async () => {
  for (let start = 0; start < 3; start += 1) {
    await append(Array.from({ length: 4000 }, (_, index) => TODAY_MS + index));
  }
  const asked = log.lag();
  await log.close();
  expect((await asked).envelopes).toBe(12_000);
  await expect(log.lag()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
});
