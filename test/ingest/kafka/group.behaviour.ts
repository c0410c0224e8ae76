import { afterEach, expect, it } from 'vitest';
import type { KafkaEventLog } from '../../../ingest/kafka/event-log.ts';
import { partitionOf } from '../../../ingest/kafka/partition-of.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { newTopic, opener, optionsFor, otherClient, type ClientUnderTest } from './subject.ts';

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
const slowly = { timeout: 30_000, interval: 50 };

/** Bundles that are created only, as the archive's are: what a partition's sequencers share. */
interface Bundles {
  readonly names: Map<string, string>;
  next(partition: number): bigint;
  /** Throws LEDGER_LOST_RACE unless `from` is where the partition's bundles end. */
  create(partition: number, from: bigint, names: readonly string[]): void;
}

function createBundles(): Bundles {
  const ends = new Map<number, bigint>();
  const names = new Map<string, string>();
  const next = (partition: number): bigint => ends.get(partition) ?? 0n;
  return {
    names,
    next,
    create: (partition, from, sealed) => {
      if (from !== next(partition)) throw new PipelineError('LEDGER_LOST_RACE', 'another was first');
      for (const name of sealed) {
        if (names.has(name)) throw new Error(`${name} was sealed twice`);
        names.set(name, `p${partition}`);
      }
      ends.set(partition, from + BigInt(sealed.length));
    },
  };
}

/** Several processes share one topic. */
export function groupBehaviour(brokers: readonly string[], subject: ClientUnderTest): void {
  const { open, closeAll } = opener(subject);
  const stop = new AbortController();
  afterEach(closeAll);

  /** Seals as a sequencer does; `pause` is waited for in the middle of each batch. */
  const sealInto =
    (log: KafkaEventLog, bundles: Bundles, pause: () => Promise<void>) =>
    async (partition: number, signal: AbortSignal): Promise<void> => {
      let from = bundles.next(partition);
      await log.consume({ partition, from, maxEnvelopes: 50, maxBytes: 1 << 20, signal }, async (batch) => {
        await pause();
        const names = batch.envelopes.map((one) => one.envelope.envelope_id);
        bundles.create(partition, from, names);
        from += BigInt(names.length);
      });
    };

  it('keeps a key in one partition, and spreads the keys', async () => {
    const topic = newTopic();
    const log = await open(
      optionsFor(brokers, topic, { partitions: 4, keyOf: ({ envelope_id }) => envelope_id.split(':')[0]! }),
    );
    const names = Array.from({ length: 80 }, (_, i) => `session${i % 16}:${Math.floor(i / 16)}`);
    for (const name of names) await log.append([envelopeOf(name)]);
    const orders = new Map<string, string[]>();
    const used = new Set<number>();
    const ending = new AbortController();
    let seen = 0;
    await log.assignments(async (partition, signal) => {
      const bounds = { partition, from: 0n, maxEnvelopes: 10, maxBytes: 1 << 20, signal };
      await log.consume(bounds, (batch) => {
        for (const { envelope } of batch.envelopes) {
          const [session, turn] = envelope.envelope_id.split(':') as [string, string];
          orders.set(`${session} in ${partition}`, [
            ...(orders.get(`${session} in ${partition}`) ?? []),
            turn,
          ]);
          used.add(partition);
        }
        seen += batch.envelopes.length;
        if (seen === 80) ending.abort();
        return Promise.resolve();
      });
    }, ending.signal);
    expect([...orders.values()]).toEqual(Array.from({ length: 16 }, () => ['0', '1', '2', '3', '4']));
    expect(used.size).toBe(4);
  });

  it('goes on with the other partitions while the batch of one takes long', async () => {
    const topic = newTopic();
    const log = await open(
      optionsFor(brokers, topic, { partitions: 2, keyOf: ({ envelope_id }) => envelope_id.split(':')[0]! }),
    );
    const keys = Array.from({ length: 9 }, (_, n) => `key${n}`);
    const [slowKey, quickKey] = [0, 1].map((partition) =>
      keys.find((key) => partitionOf(key, 2) === partition)!,
    );
    const bundles = createBundles();
    let release: (() => void) | undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    let isInHand = false;
    const ending = new AbortController();
    const running = log.assignments(async (partition, signal) => {
      const pause = (): Promise<void> => {
        if (partition === 1) return Promise.resolve();
        isInHand = true;
        return blocked;
      };
      await sealInto(log, bundles, pause)(partition, signal);
    }, ending.signal);
    await log.append([envelopeOf(`${slowKey}:0`)]);
    await expect.poll(() => isInHand, slowly).toBe(true);
    for (const n of [0, 1, 2]) {
      await log.append([envelopeOf(`${quickKey}:${n}`)]);
      await expect.poll(() => bundles.next(1), { timeout: 4_000, interval: 20 }).toBe(BigInt(n + 1));
    }
    await log.append([envelopeOf(`${slowKey}:1`)]);
    expect(bundles.next(0)).toBe(0n);
    release!();
    await expect.poll(() => bundles.next(0), slowly).toBe(2n);
    await expect.poll(async () => (await log.lag()).envelopes, slowly).toBe(0);
    ending.abort();
    await running;
  });

  it('moves partitions to a second process after the batch in hand, and seals each envelope once', async () => {
    const topic = newTopic();
    const options = optionsFor(brokers, topic, { partitions: 4 });
    const [one, two] = [await open(options), await open(options)];
    const bundles = createBundles();
    const held: { one: number[]; two: number[] } = { one: [], two: [] };
    const sleepBriefly = () => new Promise<void>((resolve) => setTimeout(resolve, 200));
    const run = (log: KafkaEventLog, mine: number[]) =>
      log.assignments(async (partition, signal) => {
        mine.push(partition);
        await sealInto(log, bundles, sleepBriefly)(partition, signal);
        mine.splice(mine.indexOf(partition), 1);
      }, stop.signal);
    const expected = new Set<string>();
    const appendSome = async (prefix: string): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        expected.add(`${prefix}${i}`);
        await one.append([envelopeOf(`${prefix}${i}`)]);
      }
    };
    const runs = [run(one, held.one)];
    await expect.poll(() => held.one.length, slowly).toBe(4);
    await appendSome('alone');
    runs.push(run(two, held.two));
    await appendSome('joining');
    await expect.poll(() => [held.one.length, held.two.length], slowly).toEqual([2, 2]);
    await appendSome('both');
    await expect.poll(() => bundles.names.size, slowly).toBe(expected.size);
    await one.close();
    await expect.poll(() => held.two.length, slowly).toBe(4);
    expect(new Set(bundles.names.keys())).toEqual(expected);
    stop.abort();
    await Promise.all(runs);
  });

  it('does not acknowledge a batch that outlasted its claim: the ledger and the broker both refuse it', async () => {
    const topic = newTopic();
    const options = optionsFor(brokers, topic, { rebalanceTimeoutMs: 1_500 });
    const [slow, quick] = [await open(options), await open(options)];
    await slow.append([envelopeOf('a'), envelopeOf('b')]);
    const bundles = createBundles();
    let release: (() => void) | undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    let isInHand = false;
    const outlasting = slow.assignments(
      sealInto(slow, bundles, () => {
        isInHand = true;
        return blocked;
      }),
      new AbortController().signal,
    );
    await expect.poll(() => isInHand, slowly).toBe(true);
    const ending = new AbortController();
    const taking = quick.assignments(
      sealInto(quick, bundles, () => Promise.resolve()),
      ending.signal,
    );
    await expect.poll(() => bundles.names.size, slowly).toBe(2);
    await quick.append([envelopeOf('c')]);
    await expect.poll(() => bundles.next(0), slowly).toBe(3n);
    await expect.poll(() => committedOf(topic), slowly).toBe('3');
    release!();
    await expect(outlasting).rejects.toMatchObject({ code: 'LEDGER_LOST_RACE' });
    ending.abort();
    await taking;
    expect(await committedOf(topic)).toBe('3');
    expect([...bundles.names.keys()]).toEqual(['a', 'b', 'c']);
  });

  it('rejects a consumer that was put out, so that it asks the ledger again, and does not take back the offset', async () => {
    const topic = newTopic();
    const options = optionsFor(brokers, topic, { rebalanceTimeoutMs: 1_500 });
    const [slow, quick] = [await open(options), await open(options)];
    await slow.append([envelopeOf('a')]);
    let release: (() => void) | undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    let isInHand = false;
    const bounds = { partition: 0, from: 0n, maxEnvelopes: 10, maxBytes: 1 << 20 };
    const outlasting = slow.consume({ ...bounds, signal: new AbortController().signal }, () => {
      isInHand = true;
      return blocked;
    });
    const outcome = outlasting.catch((error: unknown) => error);
    await expect.poll(() => isInHand, slowly).toBe(true);
    const ending = new AbortController();
    const taking = quick
      .consume({ ...bounds, signal: ending.signal }, () => Promise.resolve())
      .then(() => 'ended', codeOf);
    await quick.append([envelopeOf('b')]);
    await expect.poll(() => committedOf(topic), slowly).toBe('2');
    release!();
    expect(await outcome).toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(await committedOf(topic)).toBe('2');
    ending.abort();
    // When the first process joins again, the group may give the partition back to it.
    expect(['ended', 'LOG_UNAVAILABLE']).toContain(await taking);
  });

  async function committedOf(topic: string): Promise<string | undefined> {
    const admin = otherClient(brokers).admin();
    try {
      await admin.connect();
      const [found] = await admin.fetchOffsets({ groupId: `group-${topic}`, topics: [topic] });
      return found?.partitions[0]?.offset;
    } finally {
      await admin.disconnect();
    }
  }
}
