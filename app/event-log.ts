/** Opens the event log: in the data folder, or on Kafka where brokers are configured. Part of the composition root. */
import type { Logger } from 'pino';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import { openEmbeddedEventLog } from '../ingest/embedded/event-log.ts';
import type { EventLog } from '../ingest/event-log.ts';
import type { KafkaEventLog } from '../ingest/kafka/event-log.ts';
import type { KafkaConnection } from '../ingest/kafka/options.ts';
import { keyOf } from '../schemas/envelope.ts';
import { PipelineError } from '../schemas/errors.ts';

const DAY_MS = 86_400_000;
/** How long the topic keeps what no sequencer has sealed. */
const MIN_RETENTION_DAYS = 14;
/** Header and frame around the largest body. */
const ENVELOPE_OVERHEAD_BYTES = 64 * 1024;

/** For receivers, and for a sequencer of the embedded event log. */
export function openEventLog(config: Config, logger: Logger): Promise<EventLog> {
  return config.kafka.brokers === undefined ? openEmbedded(config) : openKafka(config, logger);
}

export function openEmbedded(config: Config): Promise<EventLog> {
  return openEmbeddedEventLog({
    dir: dataPaths(config).eventLog,
    maxBacklogBytes: config.ingest.max_backlog_bytes,
    maxBacklogEnvelopes: config.ingest.max_backlog_envelopes,
    maxPerCollectorPercent: config.ingest.max_backlog_per_collector_percent,
  });
}

/** Topics are created by the first start alone: one that is missing later was lost, with what it held. */
export async function openKafka(
  config: Config,
  logger: Logger,
  { mayCreateTopics = false }: { readonly mayCreateTopics?: boolean } = {},
): Promise<KafkaEventLog> {
  const { kafka, ingest } = config;
  // The client library is large, and most deployments have no broker.
  const { openKafkaEventLog } = await import('../ingest/kafka/event-log.ts');
  return openKafkaEventLog({
    ...connectionOf(config, logger),
    topic: kafka.topic,
    createTopics: mayCreateTopics,
    partitions: kafka.partitions,
    replicationFactor: kafka.replication_factor,
    minInSyncReplicas: kafka.min_insync_replicas,
    minRetentionMs: MIN_RETENTION_DAYS * DAY_MS,
    maxEnvelopeBytes: ingest.max_inflated_bytes + ENVELOPE_OVERHEAD_BYTES,
    maxBacklogEnvelopes: ingest.max_backlog_envelopes,
    maxBacklogBytes: ingest.max_backlog_bytes,
    maxPerCollectorPercent: ingest.max_backlog_per_collector_percent,
    groupId: `${kafka.topic}.sequencers`,
    sessionTimeoutMs: kafka.session_timeout_ms,
    keyOf,
  });
}

/** Throws CONFIG_INVALID where no brokers are configured. */
export function connectionOf({ kafka }: Pick<Config, 'kafka'>, logger: Logger): KafkaConnection {
  if (kafka.brokers === undefined) throw new PipelineError('CONFIG_INVALID', '/kafka/brokers is not set');
  const { sasl_mechanism: mechanism, sasl_username: username, sasl_password: password } = kafka;
  const hasCredentials = mechanism !== undefined && username !== undefined && password !== undefined;
  return {
    brokers: kafka.brokers.split(','),
    clientId: 'affidavit',
    ssl: kafka.tls,
    logger,
    ...(hasCredentials ? { sasl: { mechanism, username, password } } : {}),
  };
}
