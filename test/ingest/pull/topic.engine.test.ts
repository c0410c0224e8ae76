import { randomUUID } from 'node:crypto';
import type { Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collectGateway } from '../../../commands/collect-gateway.ts';
import { loadConfig } from '../../../config.ts';
import { newTopic, otherClient } from '../kafka/subject.ts';
import { startKafkaBroker } from '../../support/kafka-broker.ts';
import { startStub, type Mishap, type Stub, type Taken } from './receivers-stub.ts';

const broker = await startKafkaBroker();
const isSkipped = 'skipped' in broker;
const brokers = isSkipped ? [] : broker.brokers;

const idsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

describe.skipIf(isSkipped)('a pull of a topic, on Kafka', () => {
  const kafka = otherClient(brokers);
  const admin = kafka.admin();
  let producer: Producer;
  let topic: string;
  let stub: Stub;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    await admin.connect();
    producer = kafka.producer();
    await producer.connect();
  });
  afterAll(async () => {
    await producer.disconnect();
    await admin.disconnect();
    if (!isSkipped) await broker.dispose();
  });
  beforeEach(async () => {
    topic = newTopic();
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
    await start();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  async function start(mishap?: (request: Taken, count: number) => Mishap | undefined): Promise<void> {
    const started = await startStub(mishap);
    closing.push(() => started.close());
    stub = started;
  }

  /** Even ids into one partition, odd ones into the other. */
  async function produce(from: number, to: number): Promise<void> {
    const messages = idsOf(from, to).map((id) => ({
      partition: Number(id) % 2,
      value: JSON.stringify({ id }),
    }));
    await producer.send({ topic, messages });
  }

  async function run(changes: object = {}, signal = new AbortController().signal) {
    const lines: string[] = [];
    const output = { isTerminal: false, write: (text: string) => void lines.push(text) };
    const env = { AFFIDAVIT_LOG_LEVEL: 'silent', AFFIDAVIT_DATA: `/nowhere/${randomUUID()}` };
    const config = { ...loadConfig(undefined, env), collector_token: 'token' };
    const from = `kafka://${brokers.join(',')}/${topic}?group=collectors-of-${topic}`;
    const options = { from, to: stub.url, once: true, json: true, ...changes };
    const isWhole = await collectGateway(config, 'kong', options, output, signal);
    return { isWhole, told: JSON.parse(lines.at(-1)!) as Record<string, unknown> };
  }

  const sorted = (ids: readonly string[]) => [...ids].sort((a, b) => Number(a) - Number(b));

  it('reads what is there once, each partition in order, and only what is new the next time', async () => {
    await produce(0, 100);
    expect((await run()).told).toMatchObject({ messages: 100, last_cursor: { 0: '50', 1: '50' } });
    expect(sorted(stub.ids())).toEqual(idsOf(0, 100));
    expect(stub.ids().filter((id) => Number(id) % 2 === 0)).toEqual(
      idsOf(0, 100).filter((id) => Number(id) % 2 === 0),
    );
    await produce(100, 110);
    expect((await run()).told).toMatchObject({ messages: 10 });
    expect((await run()).told).toMatchObject({ messages: 0 });
    expect(sorted(stub.ids())).toEqual(idsOf(0, 110));
  }, 60_000);

  it('reads on as messages come, until it is stopped', async () => {
    await produce(0, 4);
    const stop = new AbortController();
    const reading = run({ once: false }, stop.signal);
    await expect.poll(() => stub.ids().length, { timeout: 20_000 }).toBe(4);
    await produce(4, 8);
    await expect.poll(() => stub.ids().length, { timeout: 20_000 }).toBe(8);
    stop.abort();
    expect((await reading).told).toMatchObject({ messages: 8, stopped: true });
    expect(sorted(stub.ids())).toEqual(idsOf(0, 8));
  }, 60_000);

  it('commits nothing that the receivers did not acknowledge', async () => {
    await produce(0, 10);
    await start(() => ({ status: 404, body: {} }));
    await expect(run()).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    await start();
    await run();
    expect(sorted(stub.ids())).toEqual(idsOf(0, 10));
  }, 60_000);

  it('ends behind the markers that transactions leave, and reads nothing of an aborted one', async () => {
    const transactional = kafka.producer({
      transactionalId: `t-${topic}`,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await transactional.connect();
    closing.push(() => transactional.disconnect());
    for (const [id, ends] of [
      ['0', 'commit'],
      ['1', 'abort'],
      ['2', 'commit'],
    ] as const) {
      const transaction = await transactional.transaction();
      await transaction.send({ topic, messages: [{ partition: 0, value: JSON.stringify({ id }) }] });
      await transaction[ends]();
    }
    expect((await run()).told).toMatchObject({ messages: 2 });
    expect(stub.ids()).toEqual(['0', '2']);
    expect((await run()).told).toMatchObject({ messages: 0 });
  }, 60_000);

  it('tells of messages that were removed before it came back', async () => {
    await produce(0, 10);
    await run();
    await produce(10, 20);
    // The client looks for leaders among the topics that it has asked for.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '8' }] });
    expect((await run()).isWhole).toBe(false);
    expect(stub.pulled().flatMap(({ problems }) => problems)).toEqual([
      { partition: 0, offset: '5', reason: 'expired', code: '8' },
    ]);
    expect(sorted(stub.ids())).toEqual([...idsOf(0, 10), ...[11, 13, 15, 16, 17, 18, 19].map(String)]);
  }, 60_000);

  it('says that there is no such topic', async () => {
    topic = newTopic();
    await expect(run()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  }, 60_000);
});
