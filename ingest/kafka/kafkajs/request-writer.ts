/**
 * Requests of messages to the brokers.
 *
 * Defects of kafkajs:
 * - It gives the sequence numbers of failed messages to the next ones. A broker that has kept the failed ones takes the
 *   next for a repetition, acknowledges them and drops them. So a producer is never used again after a failure.
 * - It can wait without end for an acknowledgement that was lost with its connection. So a request has a last deadline.
 */
import kafkajs, { type Kafka, type Producer, type TopicMessages } from 'kafkajs';
import type { OutgoingMessage, RequestWriter, WriterOptions } from '../client.ts';
import { withDeadline } from '../errors.ts';
import { orFailure } from './errors.ts';

/** A request is given up after so many deadlines of its callers. */
const GIVE_UP_AFTER = 4;

/** Connects at the first request. */
export function createRequestWriter(
  kafka: Pick<Kafka, 'producer'>,
  { compression, deadlineMs }: WriterOptions,
): RequestWriter {
  let producer: Producer | undefined;

  async function send(messages: readonly OutgoingMessage[]) {
    producer ??= await connect(kafka);
    const written = await producer.sendBatch({
      acks: -1,
      timeout: deadlineMs,
      compression: kafkajs.CompressionTypes[compression === 'gzip' ? 'GZIP' : 'None'],
      topicMessages: toTopicMessages(messages),
    });
    return written.map(({ topicName, partition, baseOffset }) => ({
      topic: topicName,
      partition,
      firstOffset: BigInt(baseOffset ?? -1),
    }));
  }

  return {
    write: async (messages) => {
      try {
        return await orFailure(withDeadline(send(messages), GIVE_UP_AFTER * deadlineMs, 'brokers'));
      } catch (error) {
        const failed = producer;
        producer = undefined;
        failed?.disconnect().catch(() => undefined);
        throw error;
      }
    },
    close: async () => {
      await producer?.disconnect();
    },
  };
}

async function connect(kafka: Pick<Kafka, 'producer'>): Promise<Producer> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 30 },
  });
  try {
    await producer.connect();
  } catch (error) {
    await producer.disconnect().catch(() => undefined);
    throw error;
  }
  return producer;
}

function toTopicMessages(messages: readonly OutgoingMessage[]): TopicMessages[] {
  const topics = new Set(messages.map(({ topic }) => topic));
  return [...topics].map((topic) => ({
    topic,
    messages: messages
      .filter((one) => one.topic === topic)
      .map(({ partition, key, value, headers }) => ({ partition, key, value, headers })),
  }));
}
