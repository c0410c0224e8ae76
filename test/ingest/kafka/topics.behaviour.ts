import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { partitionOf } from '../../../ingest/kafka/partition-of.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';
import { newTopic, opener, optionsFor, otherClient, type ClientUnderTest } from './subject.ts';

/** The demands of the event log on its topics, and its answers to the messages that it finds in them. */
export function topicBehaviour(brokers: readonly string[], subject: ClientUnderTest): void {
  const client = otherClient(brokers);
  const { open, closeAll } = opener(subject);
  let admin: Admin;
  beforeAll(async () => {
    admin = client.admin();
    await admin.connect();
  });
  afterEach(closeAll);
  afterAll(() => admin.disconnect());

  const create = async (config: Omit<ITopicConfig, 'topic'>): Promise<string> => {
    const topic = newTopic();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, ...config }], waitForLeaders: true });
    return topic;
  };

  const cutBefore = async (topic: string, offset: string): Promise<void> => {
    // The client finds the partition's leader only among topics that it was asked for.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  };

  it('refuses a topic that differs, and names each difference', async () => {
    const topic = await create({
      numPartitions: 3,
      configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
    });
    const opening = open(optionsFor(brokers, topic, { minInSyncReplicas: 2, minRetentionMs: 864_000_000 }));
    await expect(opening).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: [
        'partitions is 3, wanted 1',
        'cleanup.policy is compact, wanted delete',
        'message.timestamp.type is CreateTime, wanted LogAppendTime',
        'min.insync.replicas is 1, wanted 2',
        'retention.ms is 604800000, wanted 864000000',
        'max.message.bytes is 1048588, wanted 67239936',
      ]
        .map((difference) => `topic ${topic}: ${difference}`)
        .join('; '),
    });
  });

  it('opens the topic that it created, and refuses it with fewer replicas than wanted', async () => {
    const topic = newTopic();
    await open(optionsFor(brokers, topic));
    await open(optionsFor(brokers, topic, { createTopics: false }));
    await expect(open(optionsFor(brokers, topic, { replicationFactor: 2 }))).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: expect.stringContaining(`topic ${topic}: replication factor is 1, wanted 2`) as string,
    });
  });

  it('refuses a missing topic that it may not create, and does not make the broker create it', async () => {
    const topic = newTopic();
    const opening = open(optionsFor(brokers, topic, { createTopics: false }));
    await expect(opening).rejects.toMatchObject({ code: 'START_REFUSED' });
    expect(await admin.listTopics()).not.toContain(topic);
  });

  it('refuses an envelope that the topic would not take, and takes the largest that it would', async () => {
    const log = await open(optionsFor(brokers, newTopic(), { maxEnvelopeBytes: 2_000_000 }));
    const noise = Buffer.alloc(2_200_000);
    for (let i = 0; i < noise.length; i++) noise[i] = (i * 7919) >> 3;
    await expect(log.append([envelopeOf('larger', noise)])).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    await log.append([envelopeOf('large', noise.subarray(0, 1_999_000))]);
    const { envelopes } = await consumeCount(log, 1);
    expect(envelopes.map((one) => one.envelope.envelope_id)).toEqual(['large']);
  });

  it('shows the backlog of each partition, and since when its first envelope waits', async () => {
    const topic = newTopic();
    const log = await open(
      optionsFor(brokers, topic, { partitions: 3, keyOf: ({ idempotency_key }) => idempotency_key }),
    );
    const times = ['2026-03-02T10:00:03.000Z', '2026-03-02T10:00:01.000Z', '2026-03-02T10:00:02.000Z'];
    const keyOf = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => [partitionOf(key, 3), key]));
    const send = (partition: number, received_at: string) =>
      log.append([{ ...envelopeOf('e'), idempotency_key: keyOf.get(partition) ?? '', received_at }]);
    await Promise.all(times.map((time, partition) => send(partition, time)));
    await send(0, '2026-03-02T09:00:00.000Z');
    const partitions = times.map((oldestReceivedAt, partition) => ({
      partition,
      envelopes: partition === 0 ? 2 : 1,
      oldestReceivedAt,
    }));
    expect(await log.lag()).toMatchObject({ envelopes: 4, oldestReceivedAt: times[1], partitions });
    // Another process that only asks sees the same.
    const other = await open(optionsFor(brokers, topic, { partitions: 3 }));
    expect(await other.lag()).toMatchObject({ envelopes: 4, oldestReceivedAt: times[1], partitions });
  });

  it('keeps a message that holds no envelope as a dead letter, logs nothing of its content, and goes on', async () => {
    const topic = newTopic();
    const lines: string[] = [];
    const logger = pino({ level: 'trace' }, { write: (line) => lines.push(line) });
    const log = await open(optionsFor(brokers, topic, { logger }));
    await log.append([envelopeOf('first')]);
    const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    const foreign = [
      { key: 'k', value: 'a secret of another program' },
      { value: Buffer.alloc(20, 1) },
      { value: null },
    ];
    await producer.send({ topic, messages: foreign });
    await producer.disconnect();
    await log.append([envelopeOf('last')]);
    const { envelopes } = await consumeCount(log, 2);
    expect(envelopes.map(({ offset, envelope }) => [offset, envelope.envelope_id])).toEqual([
      [0n, 'first'],
      [4n, 'last'],
    ]);
    expect(await readDeadLetters(`${topic}.dead-letters`, 3)).toEqual([
      {
        key: 'k',
        value: 'a secret of another program',
        topic,
        partition: '0',
        offset: '1',
        reason: 'event log entry: unknown frame version',
      },
      {
        key: undefined,
        value: '\u0001'.repeat(20),
        topic,
        partition: '0',
        offset: '2',
        reason: 'event log entry: checksum does not match',
      },
      { key: undefined, value: undefined, topic, partition: '0', offset: '3', reason: 'no value' },
    ]);
    expect(lines.filter((line) => line.includes('kept as a dead letter'))).toHaveLength(3);
    expect(lines.join('')).not.toContain('secret');
  });

  async function readDeadLetters(topic: string, count: number): Promise<object[]> {
    const letters: object[] = [];
    const consumer = client.consumer({ groupId: `reader-of-${topic}` });
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message: { key, value, headers } }) => {
        const given = Object.fromEntries(
          Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]),
        );
        letters.push({ key: key?.toString(), value: value?.toString(), ...given });
        return Promise.resolve();
      },
    });
    await expect.poll(() => letters.length, { timeout: 20_000 }).toBe(count);
    await consumer.disconnect();
    return letters;
  }

  it('refuses to go on behind the end of a topic that was replaced', async () => {
    const topic = newTopic();
    const log = await open(optionsFor(brokers, topic));
    await log.append([envelopeOf('a')]);
    await expect(consumeCount(log, 1, { from: 7n })).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: expect.stringContaining(
        `topic ${topic}, partition 0: the ledger goes on at offset 7, but the log ends at 1`,
      ) as string,
    });
  });

  it('refuses to go on before the first envelope that is left', async () => {
    const topic = newTopic();
    const log = await open(optionsFor(brokers, topic));
    await log.append(['a', 'b', 'c'].map((name) => envelopeOf(name)));
    await cutBefore(topic, '2');
    await expect(consumeCount(log, 1)).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: expect.stringContaining('the ledger goes on at offset 0, but the log begins at 2') as string,
    });
    expect((await consumeCount(log, 1, { from: 2n })).envelopes[0]?.envelope.envelope_id).toBe('c');
  });

  it('stops when envelopes are removed that it was about to read', async () => {
    const topic = newTopic();
    const log = await open(optionsFor(brokers, topic));
    await log.append([envelopeOf('a')]);
    const seen: string[] = [];
    const bounds = { partition: 0, from: 0n, maxEnvelopes: 10, maxBytes: 1 << 20 };
    const consuming = log.consume({ ...bounds, signal: new AbortController().signal }, async (batch) => {
      seen.push(...batch.envelopes.map((one) => one.envelope.envelope_id));
      await log.append(['b', 'c'].map((name) => envelopeOf(name)));
      await cutBefore(topic, '2');
    });
    await expect(consuming).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: expect.stringContaining('the ledger goes on at offset 1, but the log begins at 2') as string,
    });
    expect(seen).toEqual(['a']);
  });
}
