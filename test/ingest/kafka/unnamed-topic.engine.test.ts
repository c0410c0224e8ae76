/** A topic that is deleted and created again where brokers give no topic ids. The broker is real; its ids are kept back. */
import { setTimeout } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import type { WriterHeads } from '../../../schemas/bundle.ts';
import type { LoggedEnvelope } from '../../../ingest/event-log.ts';
import type { KafkaClient } from '../../../ingest/kafka/client.ts';
import type { KafkaEventLog } from '../../../ingest/kafka/event-log.ts';
import { createKafkajsClient } from '../../../ingest/kafka/kafkajs/client.ts';
import type { KafkaConnection } from '../../../ingest/kafka/options.ts';
import { followWriters, sealedBy } from '../../../ingest/writers.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { startKafkaBroker } from '../../support/kafka-broker.ts';
import { FRAME_KEY } from '../../support/numbering.ts';
import { KAFKAJS, newTopic, opener, optionsFor, otherClient } from './subject.ts';

const broker = await startKafkaBroker();
const brokers = 'skipped' in broker ? [] : broker.brokers;
afterAll(() => ('skipped' in broker ? undefined : broker.dispose()));

function withoutIds(connection: KafkaConnection): KafkaClient {
  const client = createKafkajsClient(connection);
  return { ...client, topics: { ...client.topics, idOf: () => Promise.resolve(undefined) } };
}

const { open, closeAll } = opener({ ...KAFKAJS, create: withoutIds });
afterAll(closeAll);

const envelopes = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => envelopeOf(`envelope ${from + n}`));

/** Reads so many entries from a place, as a sequencer does. */
async function read(log: KafkaEventLog, from: bigint, count: number): Promise<LoggedEnvelope[]> {
  const stop = new AbortController();
  const found: LoggedEnvelope[] = [];
  const place = { partition: 0, from, maxEnvelopes: 1, maxBytes: 1024 * 1024, signal: stop.signal };
  await log.consume(place, (batch) => {
    found.push(...batch.envelopes);
    expect(batch.deadLetters).toEqual([]);
    if (found.length >= count) stop.abort();
    return Promise.resolve();
  });
  return found;
}

async function createAgain(topic: string): Promise<void> {
  const admin = otherClient(brokers).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  while ((await admin.listTopics()).includes(topic)) await setTimeout(50);
  await admin.disconnect();
  await open(optionsFor(brokers, topic));
}

it.skipIf('skipped' in broker)(
  'is refused where its entries before the place were never sealed, and read from its beginning once it is accepted',
  async () => {
    const topic = newTopic();
    const before = await open(optionsFor(brokers, topic));
    expect(before.id).toBe(`kafka-name:${topic}`);
    await before.append(envelopes(0, 31));
    const sealed = await read(before, 0n, 31);
    const heads: WriterHeads | undefined = followWriters(undefined, sealed, FRAME_KEY.sha256).heads;
    await before.append(envelopes(31, 1));
    await before.settle(0, 31n, sealedBy(heads));

    await createAgain(topic);
    await before.append(envelopes(100, 50));
    const refused = { code: 'EVENT_LOG_REPLACED' };
    await expect(before.settle(0, 31n, sealedBy(heads))).rejects.toMatchObject(refused);
    const place = { partition: 0, from: 31n, maxEnvelopes: 1, maxBytes: 1024 };
    const asked = { ...place, isSealed: sealedBy(heads), signal: new AbortController().signal };
    const delivered: unknown[] = [];
    const consumed = before.consume(asked, (batch) => Promise.resolve(void delivered.push(batch)));
    await expect(consumed).rejects.toMatchObject(refused);
    expect(delivered).toEqual([]);

    const acceptedEventLog = `kafka-name:${topic}#2`;
    const after = await open(optionsFor(brokers, topic, { acceptedEventLog, groupId: `again-${topic}` }));
    expect(after.id).toBe(acceptedEventLog);
    await after.settle(0, 0n, sealedBy(heads));
    const found = await read(after, 0n, 50);
    expect(found.map(({ envelope }) => envelope.envelope_id)).toEqual(
      envelopes(100, 50).map(({ envelope_id }) => envelope_id),
    );
  },
  60_000,
);
