/**
 * @platformatic/kafka as a client library behind the Kafka event log. It runs in tests alone: it shows that the event log
 * does not depend on the library that ships, and how much a switch would take.
 */
import { Base, type BaseOptions } from '@platformatic/kafka';
import type { KafkaClient } from '../../../ingest/kafka/client.ts';
import type { KafkaConnection } from '../../../ingest/kafka/options.ts';
import { createAdmin } from './admin.ts';
import { createMembership } from './membership.ts';
import { createRequestWriter } from './request-writer.ts';

const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 1_000;

/** Connects nothing yet. */
export function createPlatformaticClient(connection: KafkaConnection): KafkaClient {
  const options = toOptions(connection);
  const { topics, offsets, close } = createAdmin(options);
  return {
    topics,
    offsets,
    openWriter: (writer) => createRequestWriter(options, writer),
    openMembership: (member) => createMembership(new Base(options), options, { ...member, offsets }),
    close,
  };
}

function toOptions({ brokers, clientId, ssl, sasl }: KafkaConnection): BaseOptions {
  const options: BaseOptions = {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: 5_000,
    requestTimeout: 30_000,
    retries: 8,
    retryDelay: (_client, _operation, attempt) => Math.min(RETRY_FIRST_MS * 2 ** attempt, RETRY_LAST_MS),
    autocreateTopics: false,
  };
  if (sasl !== undefined) {
    const mechanism = sasl.mechanism.toUpperCase() as 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    options.sasl = { mechanism, username: sasl.username, password: sasl.password };
  }
  if (ssl !== undefined && ssl !== false) options.tls = ssl === true ? {} : ssl;
  return options;
}
