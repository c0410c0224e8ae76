import kafkajs, { type Kafka, type Producer, type RecordMetadata, type TopicMessages } from 'kafkajs';
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import { toPipelineError, withDeadline } from './errors.ts';
import type { Outgoing } from './messages.ts';

export interface SenderOptions {
  readonly kafka: Kafka;
  readonly compression: 'gzip' | 'none';
  readonly deadlineMs: number;
  readonly maxMessageBytes: number;
  readonly logger: Logger;
  /** What the brokers acknowledged: first offset and number of messages. */
  readonly onWritten: (topic: string, partition: number, first: bigint, count: number) => void;
}

export interface Sender {
  /** Resolves when all in-sync replicas have the messages, in order per partition; rejects as `EventLog.append` does. */
  send(messages: readonly Outgoing[]): Promise<void>;
  /** Waits for what is on its way. */
  close(): Promise<void>;
}

interface Waiting {
  readonly messages: readonly Outgoing[];
  /** How many of them were taken into a request. */
  taken: number;
  readonly settle: (refusal: PipelineError | undefined) => void;
}

interface Group {
  readonly messages: readonly Outgoing[];
  readonly parts: readonly Waiting[];
}

/** Bounds of one request. A larger message makes a request of its own. */
const GROUP_MAX_BYTES = 8 * 1024 * 1024;
const GROUP_MAX_MESSAGES = 4096;
/** So many deadlines after it was sent, a request is no longer waited for. */
const GIVE_UP_AFTER = 4;

/**
 * One request at a time: what arrives meanwhile goes together into the next one. So order is kept over retries, and
 * the price of a round trip is shared.
 *
 * A producer is thrown away after any failure. The client would give the sequence numbers of the failed messages to the
 * next ones; where the broker has kept the failed ones all the same, it would take the next for a repetition of them,
 * acknowledge them and drop them.
 */
export function createSender(options: SenderOptions): Sender {
  const queue: Waiting[] = [];
  const writer = createWriter(options);
  let flushing: Promise<void> | undefined;
  let isOverdue = false;

  /**
   * The request may still succeed after its deadline; until it is settled nothing else can be sent. For one that never
   * is, order is given up in the end: its callers were told long ago that it failed.
   */
  async function writeInTime(group: Group): Promise<void> {
    const timer = setTimeout(() => {
      isOverdue = true;
      options.logger.warn({ deadlineMs: options.deadlineMs }, 'event log does not answer');
      const detail = `no acknowledgement in ${options.deadlineMs} ms`;
      settleAll([...group.parts, ...queue], new PipelineError('LOG_UNAVAILABLE', detail));
      queue.length = 0;
    }, options.deadlineMs);
    try {
      await writer.write(group);
      settleAll(group.parts.filter(isTaken), undefined);
    } catch (error) {
      settleAll(group.parts, toPipelineError(error, 'event log cannot append'));
      removeAll(queue, group.parts);
    } finally {
      clearTimeout(timer);
      isOverdue = false;
    }
  }

  async function flush(): Promise<void> {
    const maxBytes = Math.min(GROUP_MAX_BYTES, options.maxMessageBytes);
    while (queue.length > 0) await writeInTime(takeGroup(queue, maxBytes));
  }

  return {
    send: (messages) =>
      new Promise((resolve, reject) => {
        if (isOverdue) {
          reject(new PipelineError('LOG_UNAVAILABLE', 'an earlier append was not acknowledged yet'));
          return;
        }
        const settle = (refusal: PipelineError | undefined): void => {
          if (refusal === undefined) resolve();
          else reject(refusal);
        };
        queue.push({ messages, taken: 0, settle });
        flushing ??= flush().finally(() => {
          flushing = undefined;
        });
      }),
    close: async () => {
      if (!isOverdue) await flushing;
      await writer.close();
    },
  };
}

interface Writer {
  write(group: Group): Promise<void>;
  close(): Promise<void>;
}

function createWriter(options: SenderOptions): Writer {
  let producer: Producer | undefined;

  async function send({ messages }: Group): Promise<RecordMetadata[]> {
    producer ??= await connect(options.kafka);
    return producer.sendBatch({
      acks: -1,
      timeout: options.deadlineMs,
      compression: kafkajs.CompressionTypes[options.compression === 'gzip' ? 'GZIP' : 'None'],
      topicMessages: toTopicMessages(messages),
    });
  }

  return {
    write: async (group) => {
      try {
        const written = await withDeadline(send(group), GIVE_UP_AFTER * options.deadlineMs, 'brokers');
        tellWritten(options, group, written);
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

function settleAll(parts: readonly Waiting[], refusal: PipelineError | undefined): void {
  for (const { settle } of new Set(parts)) settle(refusal);
}

async function connect(kafka: Kafka): Promise<Producer> {
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

function takeGroup(queue: Waiting[], maxBytes: number): Group {
  const messages: Outgoing[] = [];
  const parts: Waiting[] = [];
  let bytes = 0;
  for (const waiting of queue) {
    parts.push(waiting);
    for (const message of waiting.messages.slice(waiting.taken)) {
      bytes += message.bytes;
      if (messages.length === GROUP_MAX_MESSAGES || (messages.length > 0 && bytes > maxBytes)) {
        removeAll(queue, parts.filter(isTaken));
        return { messages, parts: parts.filter(({ taken }) => taken > 0) };
      }
      messages.push(message);
      waiting.taken += 1;
    }
  }
  queue.length = 0;
  return { messages, parts };
}

const isTaken = ({ taken, messages }: Waiting): boolean => taken === messages.length;

function removeAll(queue: Waiting[], gone: readonly Waiting[]): void {
  const lookup = new Set(gone);
  const kept = queue.filter((one) => !lookup.has(one));
  queue.length = 0;
  for (const one of kept) queue.push(one);
}

function toTopicMessages(messages: readonly Outgoing[]): TopicMessages[] {
  const topics = new Set(messages.map(({ topic }) => topic));
  return [...topics].map((topic) => ({
    topic,
    messages: messages
      .filter((one) => one.topic === topic)
      .map(({ message, partition }) => ({ ...message, partition })),
  }));
}

function tellWritten(
  { onWritten }: SenderOptions,
  { messages }: Group,
  written: readonly RecordMetadata[],
): void {
  for (const { topicName, partition, baseOffset } of written) {
    const ours = messages.filter((one) => one.topic === topicName && one.partition === partition);
    onWritten(topicName, partition, BigInt(baseOffset ?? -1), ours.length);
  }
}
