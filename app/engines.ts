/**
 * Opens the engines that the configuration names: archive, record store, event log. Each engine is loaded only when it
 * is used, so that a command starts without the clients of the others.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { AppContext } from './context.ts';
import { readDeployment } from './deployment-file.ts';
import { readEventLogKey } from './event-log-key.ts';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import type { GatewayMappings } from '../connectors/sources/gateways/mapped-shape.ts';
import type { EventLog } from '../ingest/event-log.ts';
import type { Numbering } from '../ingest/frame-writer.ts';
import type { KafkaEventLog } from '../ingest/kafka/event-log.ts';
import type { KafkaConnection } from '../ingest/kafka/options.ts';
import type { ArchiveTampering } from '../schemas/archive-tampering.ts';
import { toInstant } from '../schemas/clock.ts';
import { keyOf } from '../schemas/envelope.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { JsonValue } from '../schemas/json.ts';
import type { Archive } from '../store/archive/archive.ts';
import type { S3Connection } from '../store/archive/s3/client.ts';
import type { Tampering } from '../store/archive/s3/stored-version.ts';
import type { StoreConnection } from '../store/records/clickhouse/client.ts';
import type { BeforeDrop, RecordStore } from '../store/records/record-store.ts';

const DAY_MS = 86_400_000;
/** How long Kafka keeps envelopes that no sequencer has sealed. */
const MIN_RETENTION_DAYS = 14;
/** Room for the header and the frame around the largest body. */
const ENVELOPE_OVERHEAD_BYTES = 64 * 1024;

export interface OpenArchiveOptions {
  /**
   * Called once for each finding of this process, during a read or a write, which goes on unharmed. Must not throw. A
   * folder has no versions and so never reports findings.
   */
  readonly onTampering?: ((key: string, finding: ArchiveTampering) => void) | undefined;
}

/** The archive in the configured bucket, else in the data folder. Makes no request; `probeAtStart` checks the bucket. */
export async function openArchive(
  { config, logger, system }: Pick<AppContext, 'config' | 'logger' | 'system'>,
  { onTampering }: OpenArchiveOptions = {},
): Promise<Archive> {
  if (config.s3.bucket === undefined) {
    const { openLocalArchive } = await import('../store/archive/local/archive.ts');
    return openLocalArchive({ dir: dataPaths(config).archive, clock: system.clock });
  }
  const { openS3Archive } = await import('../store/archive/s3/archive.ts');
  const connection = s3ConnectionOf(config);
  const log = logger.child({ role: 'archive', bucket: connection.bucket });
  return openS3Archive({
    ...connection,
    prefix: config.s3.prefix,
    random: system.random,
    newPutId: system.newId,
    sleep: (ms) => system.sleep(ms),
    onTampering: (key, tampering) => {
      const found_at = toInstant(system.clock());
      const finding = toFinding(tampering, { ...connection, prefix: config.s3.prefix, found_at });
      const { kind, truth_version_id, other_version_ids } = finding;
      log.error({ key, kind, truth_version_id, other_version_ids }, 'archive object was tampered with');
      onTampering?.(key, finding);
    },
    onRetry: (attempt, cause) => {
      log.warn({ attempt, cause }, 'request to the bucket failed, trying again');
    },
  });
}

/** How to reach the configured bucket. Throws CONFIG_INVALID if none is configured. */
export function s3ConnectionOf({ s3 }: Pick<Config, 's3'>): S3Connection {
  const { bucket, endpoint, region, access_key_id, secret_access_key } = s3;
  if (bucket === undefined) {
    throw new PipelineError('CONFIG_INVALID', 'no bucket is configured: set s3.bucket (AFFIDAVIT_S3_BUCKET)');
  }
  const credentials =
    access_key_id === undefined || secret_access_key === undefined
      ? undefined
      : { accessKeyId: access_key_id, secretAccessKey: secret_access_key };
  return { bucket, endpoint, region, credentials };
}

function toFinding(
  { kind, truthVersionId, otherVersionIds }: Tampering,
  where: S3Connection & { readonly prefix: string; readonly found_at: string },
): ArchiveTampering {
  return {
    v: 1,
    kind,
    endpoint: where.endpoint ?? null,
    bucket: where.bucket,
    prefix: where.prefix,
    truth_version_id: truthVersionId ?? null,
    other_version_ids: [...otherVersionIds],
    found_at: where.found_at,
  };
}

/**
 * The record store on the configured server, else in this process. Only a process that may seal brings the schema up to
 * date; the others need no right to change it. With `recreate` the store is emptied first, unless `recreate` rejects.
 */
export async function openRecords(
  { config, system, limits }: Pick<AppContext, 'config' | 'system' | 'limits'>,
  recreate?: BeforeDrop,
): Promise<RecordStore> {
  const { openRecordStore } = await import('../store/records/clickhouse/record-store.ts');
  return openRecordStore({
    connection: await recordConnection(config),
    migrationsDir: join(import.meta.dirname, '..', 'store', 'records', 'migrations'),
    mayMigrate: config.role === undefined || config.role === 'sequence',
    clock: system.clock,
    recreate: recreate !== undefined,
    beforeDrop: recreate,
    limits: { maxExecutionMs: config.store.max_query_ms, maxRowsToRead: limits.maxQueryRows },
  });
}

/** Makes the folder of the engine in this process if it is missing. */
async function recordConnection(config: Config): Promise<StoreConnection> {
  const { url, ...access } = config.clickhouse;
  if (url !== undefined) return { kind: 'server', url, ...access };
  const { records: path } = dataPaths(config);
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { kind: 'chdb', path };
}

/** The event log of receivers: on Kafka if brokers are configured, else in the data folder. */
export function openEventLog(context: AppContext): Promise<EventLog> {
  return context.config.kafka.brokers === undefined ? openEmbedded(context) : openKafka(context);
}

/** Undefined in a deployment without a key, and in a process that only counts what waits. */
async function numberingOf({ config, system }: AppContext): Promise<Numbering | undefined> {
  if (config.role === 'api' || config.role === 'report') return undefined;
  const named = await readEventLogKey(config);
  return named === undefined ? undefined : { key: named.key, randomBytes: system.randomBytes };
}

export async function openEmbedded(context: AppContext): Promise<EventLog> {
  const { config, limits, logger, system } = context;
  const { openEmbeddedEventLog } = await import('../ingest/embedded/event-log.ts');
  return openEmbeddedEventLog({
    dir: dataPaths(config).eventLog,
    newId: system.newId,
    numbering: await numberingOf(context),
    maxBacklogBytes: config.ingest.max_backlog_bytes,
    maxBacklogEnvelopes: limits.maxBacklogEnvelopes,
    maxPerCollectorPercent: limits.maxBacklogPerCollectorPercent,
    onDeadLetter: ({ offset, reason }) => {
      logger.error({ offset: String(offset), reason }, 'entry is not sealed, kept as a dead letter');
    },
    lingerMs: config.ingest.seal_after_ms,
  });
}

/** Only the first start creates topics: a topic that is missing later was lost together with its envelopes. */
export async function openKafka(
  context: AppContext,
  { mayCreateTopics = false }: { readonly mayCreateTopics?: boolean } = {},
): Promise<KafkaEventLog> {
  const { config, limits, logger, system } = context;
  const { kafka, ingest } = config;
  const { openKafkaEventLog } = await import('../ingest/kafka/event-log.ts');
  return openKafkaEventLog({
    ...kafkaConnectionOf(config, logger),
    topic: kafka.topic,
    numbering: await numberingOf(context),
    acceptedEventLog: (await readDeployment(config))?.event_log,
    createTopics: mayCreateTopics,
    partitions: kafka.partitions,
    replicationFactor: kafka.replication_factor,
    minInSyncReplicas: kafka.min_insync_replicas,
    minRetentionMs: MIN_RETENTION_DAYS * DAY_MS,
    maxEnvelopeBytes: ingest.max_inflated_bytes + ENVELOPE_OVERHEAD_BYTES,
    maxBacklogEnvelopes: limits.maxBacklogEnvelopes,
    maxBacklogBytes: ingest.max_backlog_bytes,
    maxPerCollectorPercent: limits.maxBacklogPerCollectorPercent,
    groupId: `${kafka.topic}.sequencers`,
    clock: system.clock,
    sessionTimeoutMs: limits.kafkaSessionTimeoutMs,
    lingerMs: ingest.seal_after_ms,
    keyOf,
  });
}

/** Throws CONFIG_INVALID if no brokers are configured. */
export function kafkaConnectionOf({ kafka }: Pick<Config, 'kafka'>, logger: Logger): KafkaConnection {
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

/**
 * Gateways that the deployment describes in a file, the same for receivers and sequencers. Throws CONFIG_INVALID with
 * every problem of the file.
 */
export async function readGatewayMappings({ ingest }: Pick<Config, 'ingest'>): Promise<GatewayMappings> {
  const { gateway_mappings: file } = ingest;
  if (file === undefined) return {};
  const [{ KNOWN_GATEWAYS }, { parseMappings }] = await Promise.all([
    import('../connectors/sources/index.ts'),
    import('../connectors/sources/gateways/mapped-shape.ts'),
  ]);
  let value: JsonValue;
  try {
    value = JSON.parse(await readFile(file, 'utf8')) as JsonValue;
  } catch (error) {
    throw new PipelineError('CONFIG_INVALID', `/ingest/gateway_mappings: ${(error as Error).message}`);
  }
  return parseMappings(value, file, KNOWN_GATEWAYS);
}
