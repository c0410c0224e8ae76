import { randomUUID } from 'node:crypto';
import kafkajs, { type Kafka } from 'kafkajs';
import { pino, type Logger } from 'pino';
import { openKafkaEventLog, type KafkaEventLog } from '../../../ingest/kafka/event-log.ts';
import type { KafkaEventLogOptions } from '../../../ingest/kafka/options.ts';

export const silent: Logger = pino({ level: 'silent' });

/** A topic of its own for each test, so that one broker serves them all. */
export function newTopic(): string {
  return `envelopes-${randomUUID()}`;
}

export function optionsFor(
  brokers: readonly string[],
  topic: string,
  changes: Partial<KafkaEventLogOptions> = {},
): KafkaEventLogOptions {
  return {
    brokers,
    clientId: 'affidavit-test',
    logger: silent,
    topic,
    createTopics: true,
    partitions: 1,
    replicationFactor: 1,
    minInSyncReplicas: 1,
    minRetentionMs: 3_600_000,
    maxEnvelopeBytes: 64 * 1024 * 1024,
    maxBacklogEnvelopes: 1_000_000,
    maxBacklogBytes: 1024 * 1024 * 1024,
    groupId: `group-${topic}`,
    keyOf: () => null,
    sessionTimeoutMs: 10_000,
    ...changes,
  };
}

/** Opens logs and closes them all. */
export function opener(): {
  open: (options: KafkaEventLogOptions) => Promise<KafkaEventLog>;
  closeAll: () => Promise<void>;
} {
  const opened: KafkaEventLog[] = [];
  return {
    open: async (options) => {
      const log = await openKafkaEventLog(options);
      opened.push(log);
      return log;
    },
    closeAll: async () => {
      await Promise.all(opened.splice(0).map((log) => log.close()));
    },
  };
}

/** A client of somebody else, who may write to the topics as well. */
export function otherClient(brokers: readonly string[]): Kafka {
  return new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
}
