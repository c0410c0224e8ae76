import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Partitions, type PartitionFailure } from '../../app/partitions.ts';
import { runPartition, runSinglePartition, type PartitionWork } from '../../app/run-partition.ts';
import type { EventLog, LoggedEnvelope } from '../../ingest/event-log.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { toOwnEnvelope } from '../../ingest/own-events.ts';
import { createOwnRecords } from '../../ingest/own-records.ts';
import { createSequencer } from '../../ingest/sequencer.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { createTestLog } from '../support/ledger.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';

const NOW_MS = Date.parse('2026-11-21T09:00:00.000Z');
const named = { surrogates: createSurrogates(Buffer.alloc(32, 7)) };
const sealing = {
  normalise: createNormaliser(named),
  ownRecord: createOwnRecords(named),
  clock: () => NOW_MS,
  acceptedEventLog: 'log-1',
};

/** Three partitions of one process, each with a log in an archive of its own. */
class TestProcess implements PartitionWork {
  readonly partitions = new Partitions((partition) => `p${String(partition)}`);
  readonly logged = createTestLogger();
  readonly logger = this.logged.logger;
  readonly archives = [0, 1, 2].map(() => createMemoryArchive());
  readonly stores = [0, 1, 2].map(() => createMemoryRecordStore());
  readonly parked: (PartitionFailure & { readonly partition: number })[] = [];
  readonly acknowledged: number[] = [0, 0, 0];
  readonly #queues: LoggedEnvelope[][] = [[], [], []];
  readonly #options: LedgerOptions[] = [];

  async prepare(): Promise<void> {
    for (const [n, archive] of this.archives.entries()) {
      this.#options.push(await createTestLog({ archive, records: this.stores[n]! }));
    }
  }

  append(partition: number, name: string): void {
    const queue = this.#queues[partition]!;
    const system = { clock: () => NOW_MS, newId: () => name };
    const envelope = toOwnEnvelope({ type: 'test.sent', event_id: name }, system);
    queue.push({ offset: BigInt(queue.length + this.acknowledged[partition]!), envelope });
  }

  async open(partition: number) {
    const ledger = await openLedger(this.#options[partition]!);
    return { ledger, seenIds: noSeenIds, close: () => Promise.resolve() };
  }

  start: PartitionWork['start'] = (partition, { ledger, seenIds }) => {
    const eventLog = this.#eventLog(partition);
    const common = { logger: this.logger, maxBatchEnvelopes: 1, maxBatchBytes: 1_000_000, sleep: this.sleep };
    return {
      ledger,
      sequencer: createSequencer({ eventLog, ledger, seenIds, partition, ...sealing, ...common }),
    };
  };

  onParked(partition: number, failure: PartitionFailure): void {
    this.parked.push({ partition, ...failure });
  }

  sleep = () => delay(1);

  #eventLog(partition: number): EventLog {
    return {
      id: 'log-1',
      settle: () => Promise.resolve(0n),
      append: () => Promise.resolve(),
      lag: () => Promise.resolve({ envelopes: 0, bytes: 0 }),
      close: () => Promise.resolve(),
      consume: async ({ signal }, onBatch) => {
        while (!signal.aborted) {
          const [logged] = this.#queues[partition]!;
          if (logged !== undefined) {
            await onBatch({ envelopes: [logged], deadLetters: [], nextOffset: logged.offset + 1n });
            this.#queues[partition]!.shift();
            this.acknowledged[partition]! += 1;
          }
          await delay(1);
        }
      },
    };
  }
}

const noSeenIds = { has: () => Promise.resolve(new Set<string>()), filled: () => Promise.resolve() };

let process: TestProcess;
let stop: AbortController;
let running: Promise<void>[];
beforeEach(async () => {
  process = new TestProcess();
  await process.prepare();
  stop = new AbortController();
  running = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running);
});

const assign = (partition: number, signal = stop.signal) => {
  const ended = runPartition(process, partition, signal);
  running.push(ended);
  return ended;
};
const states = () => process.partitions.states().map(({ log, state }) => `${log} ${state}`);
/** Somebody else's object, locked for years, at the key of the bundle that comes next. */
const takeNextKey = (partition: number) =>
  process.archives[partition]!.objects.set(bundleKey('p0', 0), Buffer.from('not a bundle'));

describe('a process whose partition cannot be sealed', () => {
  it('parks that one alone, acknowledges nothing of it, and seals the others on', async () => {
    for (const partition of [0, 1, 2]) void assign(partition);
    await expect.poll(states).toEqual(['p0 idle', 'p1 idle', 'p2 idle']);
    takeNextKey(0);
    for (const partition of [0, 1, 2]) process.append(partition, 'first');
    await expect.poll(states).toEqual(['p0 parked', 'p1 idle', 'p2 idle']);
    for (const partition of [0, 1, 2]) process.append(partition, 'second');
    await expect.poll(() => process.acknowledged, { timeout: 1_000 }).toEqual([0, 2, 2]);
    expect(process.parked).toEqual([
      expect.objectContaining({ partition: 0, code: expect.stringMatching(/^[A-Z_]+$/) as string }),
    ]);
    expect(process.partitions.states()[0]).toMatchObject({
      state: 'parked',
      reason: process.parked[0]!.code,
      detail: process.parked[0]!.detail,
    });
  });

  it('tries a parked partition once more when it is assigned again', async () => {
    takeNextKey(0);
    const first = new AbortController();
    process.append(0, 'first');
    const ended = assign(0, first.signal);
    await expect.poll(states).toEqual(['p0 parked']);
    first.abort();
    await ended;
    expect(states()).toEqual([]);
    process.archives[0]!.objects.delete(bundleKey('p0', 0));
    void assign(0);
    await expect.poll(() => process.acknowledged[0]).toBe(1);
    expect(states()).toEqual(['p0 idle']);
    expect(process.parked).toHaveLength(1);
  });

  it('parks it for a failure that nobody foresaw, without a word of what the failure quotes', async () => {
    process.start = () => {
      throw new TypeError('cannot read "a secret"');
    };
    void assign(1);
    await expect.poll(states).toEqual(['p1 parked']);
    expect(process.parked).toMatchObject([{ code: 'INTERNAL', detail: /^TypeError;/ }]);
    expect(JSON.stringify([process.parked, process.logged.lines])).not.toContain('secret');
  });

  it('reopens the log after a failure that passes, and says meanwhile why', async () => {
    const open = process.open.bind(process);
    let tries = 0;
    process.open = (partition) => {
      tries += 1;
      if (tries === 1) return Promise.reject(new PipelineError('ARCHIVE_UNAVAILABLE', 'bucket is away'));
      return open(partition);
    };
    process.sleep = () => delay(30);
    void assign(2);
    await expect
      .poll(() => process.partitions.states(), { interval: 2 })
      .toEqual([
        {
          partition: 2,
          log: 'p2',
          state: 'retrying',
          reason: 'ARCHIVE_UNAVAILABLE',
          detail: 'bucket is away',
        },
      ]);
    await expect.poll(states).toEqual(['p2 idle']);
    expect(process.parked).toEqual([]);
  });
});

describe('the single partition of the embedded event log', () => {
  it('is parked while the process runs, because its receivers can still acknowledge', async () => {
    running.push(runSinglePartition(process, process.start(0, await process.open(0)), stop.signal));
    takeNextKey(0);
    process.append(0, 'first');
    await expect.poll(states).toEqual(['p0 parked']);
    expect(process.acknowledged[0]).toBe(0);
  });

  it.each(['START_REFUSED', 'LOG_DAMAGED', 'EVENT_LOG_REPLACED'] as const)(
    'ends the process on %s of the event log',
    async (code) => {
      const started = process.start(0, await process.open(0));
      const run = () => Promise.reject(new PipelineError(code, 'the event log is in doubt'));
      const doubtful = { ...started, sequencer: { ...started.sequencer, run } };
      const ended = runSinglePartition(process, doubtful, stop.signal);
      await expect(ended).rejects.toMatchObject({ code });
      expect(process.parked).toEqual([]);
    },
  );
});
