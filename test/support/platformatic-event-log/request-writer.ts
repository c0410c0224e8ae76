/**
 * Requests of messages to the brokers. This library, too, gives the sequence numbers of failed messages to the next ones,
 * so a producer is never used again after a failure.
 */
import { Producer, type BaseOptions, type MessageToProduce } from '@platformatic/kafka';
import type { OutgoingMessage, RequestWriter, WriterOptions } from '../../../ingest/kafka/client.ts';
import { withDeadline } from '../../../ingest/kafka/errors.ts';
import { orFailure } from './errors.ts';

const GIVE_UP_AFTER = 4;
const RETRIES = 30;

/** Connects at the first request. */
export function createRequestWriter(
  options: BaseOptions,
  { compression, deadlineMs }: WriterOptions,
): RequestWriter {
  let producer: Producer | undefined;

  async function send(messages: readonly OutgoingMessage[]) {
    producer ??= new Producer({
      ...options,
      idempotent: true,
      retries: RETRIES,
      timeout: deadlineMs,
      compression,
    });
    const { offsets = [] } = await producer.send({ messages: messages.map(toLibraryMessage) });
    return offsets.map(({ topic, partition, offset }) => ({ topic, partition, firstOffset: offset }));
  }

  return {
    write: async (messages) => {
      try {
        return await orFailure(withDeadline(send(messages), GIVE_UP_AFTER * deadlineMs, 'brokers'));
      } catch (error) {
        const failed = producer;
        producer = undefined;
        failed?.close().catch(() => undefined);
        throw error;
      }
    },
    close: async () => {
      await producer?.close();
    },
  };
}

function toLibraryMessage({ topic, partition, key, value, headers }: OutgoingMessage): MessageToProduce {
  const named = Object.entries(headers);
  const message: MessageToProduce = { topic, partition };
  if (key !== null) message.key = Buffer.from(key);
  if (value !== null) message.value = value;
  if (named.length > 0) {
    message.headers = new Map(named.map(([name, text]) => [Buffer.from(name), Buffer.from(text)]));
  }
  return message;
}
