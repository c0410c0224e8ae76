import { randomUUID } from 'node:crypto';
import kafkajs, { type Kafka } from 'kafkajs';
import { pino, type Logger } from 'pino';
import type { KafkaClient } from '../../../ingest/kafka/client.ts';
import { openKafkaEventLog, type KafkaEventLog } from '../../../ingest/kafka/event-log.ts';
import { createKafkajsClient } from '../../../ingest/kafka/kafkajs/client.ts';
import type { KafkaConnection, KafkaEventLogOptions } from '../../../ingest/kafka/options.ts';
import { NUMBERING } from '../../support/numbering.ts';
import { createPlatformaticClient } from '../../support/platformatic-event-log/client.ts';

export const silent: Logger = pino({ level: 'silent' });

/** A new topic for each test, so that one broker serves them all. */
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
    clock: () => Date.parse('2026-11-21T09:00:00.000Z'),
    keyOf: () => null,
    numbering: NUMBERING,
    sessionTimeoutMs: 10_000,
    ...changes,
  };
}

/** A client library under test. */
export interface ClientUnderTest {
  readonly library: string;
  readonly create: (connection: KafkaConnection) => KafkaClient;
  /** The library's name for credentials that the brokers refuse. */
  readonly refusedCredentials: string;
}

/** The library that ships. */
export const KAFKAJS: ClientUnderTest = {
  library: 'kafkajs',
  create: createKafkajsClient,
  refusedCredentials: 'KafkaJSSASLAuthenticationError',
};

/** The library that only tests use. */
export const PLATFORMATIC: ClientUnderTest = {
  library: '@platformatic/kafka',
  create: createPlatformaticClient,
  refusedCredentials: 'PLT_KFK_AUTHENTICATION',
};

/** Opens logs and closes them all. */
export function opener({ create }: ClientUnderTest): {
  open: (options: KafkaEventLogOptions) => Promise<KafkaEventLog>;
  closeAll: () => Promise<void>;
} {
  const opened: KafkaEventLog[] = [];
  return {
    open: async (options) => {
      const log = await openKafkaEventLog(options, create);
      opened.push(log);
      return log;
    },
    closeAll: async () => {
      await Promise.all(opened.splice(0).map((log) => log.close()));
    },
  };
}

/** The client of another program, which may write to the topics as well. */
export function otherClient(brokers: readonly string[]): Kafka {
  return new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
}
