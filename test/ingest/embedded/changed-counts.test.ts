/** Somebody changes the counts of the embedded event log, or the disk damages them. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEnvironment, type BinaryDatabase } from '../../../ingest/embedded/environment.ts';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import { readBacklogs, readState, writeState, type LogState } from '../../../ingest/embedded/state.ts';
import type { EventLog } from '../../../ingest/event-log.ts';
import { encodeEnvelope } from '../../../ingest/framing.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';
import { makeTempDir } from '../../support/server.ts';

const COLLECTOR = envelopeOf('a').principal;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let opened: EventLog[];
beforeEach(async () => {
  folder = await makeTempDir();
  opened = [];
});
afterEach(async () => {
  for (const log of opened) await log.close();
  await folder.remove();
});

const dir = () => join(folder.path, 'event-log');

async function openLog(): Promise<EventLog> {
  const log = await openEmbeddedEventLog({
    newId: randomUUID,
    dir: dir(),
    maxBacklogBytes: 1 << 24,
    maxBacklogEnvelopes: 100,
    maxPerCollectorPercent: 80,
    pollMs: 2,
  });
  opened.push(log);
  return log;
}

type Change = (meta: BinaryDatabase, entries: BinaryDatabase) => void;

/** In a process of somebody else, whether a server runs or not. */
async function change(apply: Change): Promise<void> {
  const environment = await openEnvironment(dir(), { mapBytes: 1 << 28 });
  const [meta, entries] = [environment.database('meta'), environment.database('entries')];
  await environment.commit(() => apply(meta, entries));
  await environment.close();
}

const setState =
  (changed: (state: LogState) => Partial<LogState>): Change =>
  (meta) => {
    const state = readState(meta);
    writeState(meta, { ...state, ...changed(state) });
  };

function setBacklog(collector: string, envelopes: bigint, bytes: bigint): Change {
  const stored = Buffer.alloc(16);
  stored.writeBigUInt64BE(envelopes, 0);
  stored.writeBigUInt64BE(bytes, 8);
  return (meta) => void meta.put(Buffer.from(`backlog:${collector}`), stored);
}

function keyOf(stored: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(stored);
  return key;
}

const HUGE = 1n << 62n;
const REPAIRED: [string, Change][] = [
  ['bytes beyond the limit', setState(() => ({ bytes: 2 ** 50 }))],
  ['envelopes beyond the limit', setState(() => ({ envelopes: 2 ** 50 }))],
  ['counts of nothing', setState(() => ({ envelopes: 0, bytes: 0 }))],
  ['a backlog of the collector beyond its share', setBacklog(COLLECTOR, 10n ** 9n, 1n << 50n)],
  ['a backlog of the largest numbers', setBacklog(COLLECTOR, 2n ** 64n - 1n, 2n ** 64n - 1n)],
  ['a backlog of another collector', setBacklog('nobody', HUGE, HUGE)],
  ['a backlog of one byte', (meta) => void meta.put(Buffer.from(`backlog:${COLLECTOR}`), Buffer.from('x'))],
  ['no backlog', (meta) => void meta.remove(Buffer.from(`backlog:${COLLECTOR}`))],
];

describe.each([
  ['that is empty', 0],
  ['with waiting entries', 3],
])('a log %s, opened again', (_, waiting) => {
  const names = ['a', 'b', 'c'].slice(0, waiting);

  async function prepare(): Promise<void> {
    const log = await openLog();
    await log.append([envelopeOf('sealed')]);
    await consumeCount(log, 1);
    if (waiting > 0) await log.append(names.map((name) => envelopeOf(name)));
    await log.close();
  }

  it.each(REPAIRED)('takes its counts from the entries where somebody wrote %s', async (__, apply) => {
    await prepare();
    await change(apply);
    const log = await openLog();
    const { envelopes, bytes } = await log.lag();
    expect(envelopes).toBe(waiting);
    expect(bytes).toBeLessThan(10_000);
    await change((meta) => {
      const backlog = waiting === 0 ? [] : [[COLLECTOR, { envelopes, bytes }]];
      expect([...readBacklogs(meta)]).toEqual(backlog);
    });
    await log.append([envelopeOf('d')]);
    const consumed = await consumeCount(log, waiting + 1, { from: 1n });
    expect(consumed.envelopes.map(({ envelope }) => envelope.envelope_id)).toEqual([...names, 'd']);
    expect(await log.lag()).toEqual({ envelopes: 0, bytes: 0 });
  });

  it.each<[string, string, Change]>([
    ['the largest next offset', 'next offset', setState(() => ({ next: 2n ** 64n - 1n }))],
    ['the largest shift', 'shift', setState(() => ({ shift: 2n ** 64n - 1n }))],
    ['a head of 31 bytes', '31 bytes', (meta) => void meta.put(Buffer.from('state'), Buffer.alloc(31))],
    [
      'an entry at the largest key',
      'offset of an entry',
      (__, entries) => void entries.put(keyOf(2n ** 64n - 1n), Buffer.from('junk')),
    ],
    [
      'an entry with a key of two bytes',
      '2 bytes and not 8',
      (__, entries) => void entries.put(Buffer.from('ab'), Buffer.from('junk')),
    ],
  ])('says LOG_DAMAGED, and what it found, beside %s', async (__, found, apply) => {
    await prepare();
    await change(apply);
    const detail = expect.stringContaining(found) as string;
    const damaged = { code: 'LOG_DAMAGED', retry: 'never', detail };
    await expect(openLog()).rejects.toMatchObject(damaged);
    await expect(openLog()).rejects.toMatchObject(damaged);
  });
});

it('says LOG_DAMAGED where an empty log has a shift above its next offset', async () => {
  await (await openLog()).close();
  await change(setState(({ next }) => ({ shift: next + 1000n })));
  const detail = expect.stringContaining('shift') as string;
  await expect(openLog()).rejects.toMatchObject({ code: 'LOG_DAMAGED', detail });
});

it('refuses an append that passes the last possible offset, and delivers what came before', async () => {
  await (await openLog()).close();
  await change(setState(() => ({ next: 2n ** 53n - 1n })));
  const log = await openLog();
  await log.append([envelopeOf('last')]);
  await expect(log.append([envelopeOf('a'), envelopeOf('b')])).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  const consumed = await consumeCount(log, 1, { from: 2n ** 53n - 1n });
  expect(consumed.envelopes.map(({ envelope }) => envelope.envelope_id)).toEqual(['last']);
});

it('opens beside an entry whose collector has a name that no key can hold', async () => {
  const log = await openLog();
  await log.append([envelopeOf('a')]);
  const foreign = { ...envelopeOf('b'), principal: 'x'.repeat(5000) };
  await change((_, entries) => void entries.put(keyOf(1n), encodeEnvelope(foreign)));
  await log.close();
  const again = await openLog();
  await again.append([envelopeOf('c')]);
  expect((await consumeCount(again, 3)).envelopes).toHaveLength(3);
  expect(await again.lag()).toEqual({ envelopes: 0, bytes: 0 });
});

describe('a log that is open', () => {
  const consuming = async (log: EventLog, until: () => Promise<void>): Promise<void> => {
    const stop = new AbortController();
    const bounds = { partition: 0, from: 0n, maxEnvelopes: 10, maxBytes: 1 << 20, signal: stop.signal };
    const running = log.consume(bounds, () => Promise.resolve());
    await until();
    stop.abort();
    await running;
  };

  it('counts again once its consumer finds no entry where some should wait', async () => {
    const log = await openLog();
    await log.append(['a', 'b', 'c', 'd'].map((name) => envelopeOf(name)));
    await change((_, entries) => [0n, 2n, 3n].forEach((stored) => void entries.remove(keyOf(stored))));
    expect((await log.lag()).envelopes).toBe(4);
    await consuming(log, () => expect.poll(() => log.lag()).toEqual({ envelopes: 0, bytes: 0 }));
  });

  it('takes appends again after its counts were changed', async () => {
    const log = await openLog();
    for (const [, apply] of REPAIRED) {
      await change(apply);
      const isTaken = () =>
        log.append([envelopeOf('a')]).then(
          () => true,
          () => false,
        );
      await consuming(log, () => expect.poll(isTaken).toBe(true));
    }
    await consuming(log, () => expect.poll(() => log.lag()).toEqual({ envelopes: 0, bytes: 0 }));
  });

  it('rejects its consumer, appends and questions with LOG_DAMAGED once its head does not read', async () => {
    const log = await openLog();
    await change((meta) => void meta.put(Buffer.from('state'), Buffer.alloc(31)));
    const { signal } = new AbortController();
    const bounds = { partition: 0, from: 0n, maxEnvelopes: 10, maxBytes: 1 << 20, signal };
    const damaged = { code: 'LOG_DAMAGED' };
    await expect(log.consume(bounds, () => Promise.resolve())).rejects.toMatchObject(damaged);
    await expect(log.append([envelopeOf('a')])).rejects.toMatchObject(damaged);
    await expect(log.lag()).rejects.toMatchObject(damaged);
  });
});
