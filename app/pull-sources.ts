/** Opens the sources and the states of pullers: a folder, a bucket, a topic, a state file. */
import { createLogger, SYSTEM } from './context.ts';
import { kafkaConnectionOf, s3ConnectionOf } from './engines.ts';
import type { Config } from '../config.ts';
import type { StateFile } from '../ingest/pull/cursor.ts';
import type { GatewayLogs } from '../ingest/pull/gateway-logs.ts';
import type { GatewayTopic } from '../ingest/pull/gateway-topic.ts';
import { readSecretFile, writeSecretFile } from '../store/keys/secret-file.ts';

export async function openFolderOfLogs(folder: string): Promise<GatewayLogs> {
  const { openFolderOfLogs: open } = await import('../ingest/pull/local/gateway-logs.ts');
  return open(folder);
}

/** The bucket is reached with the endpoint, region and keys of the configured archive. Makes no request yet. */
export async function openBucketOfLogs(
  { s3 }: Pick<Config, 's3'>,
  { bucket: name, prefix }: { readonly bucket: string; readonly prefix: string },
): Promise<GatewayLogs> {
  const [{ openBucket }, { openBucketOfLogs: open }, { RETRY_LIMITS }] = await Promise.all([
    import('../store/archive/s3/client.ts'),
    import('../ingest/pull/s3/gateway-logs.ts'),
    import('../store/archive/s3/retry.ts'),
  ]);
  const { random, sleep } = SYSTEM;
  return open({
    bucket: openBucket(s3ConnectionOf({ s3: { ...s3, bucket: name } })),
    prefix,
    retrying: { limits: RETRY_LIMITS, random, sleep: (ms) => sleep(ms) },
  });
}

/** The brokers are reached with the TLS and credentials of the configured event log. */
export async function openTopic(
  { kafka, log_level }: Pick<Config, 'kafka' | 'log_level'>,
  { brokers, topic, groupId }: { readonly brokers: string; readonly topic: string; readonly groupId: string },
): Promise<GatewayTopic> {
  const { openKafkaGatewayTopic } = await import('../ingest/kafka/gateway-topic.ts');
  const logger = createLogger({ log_level }, { role: 'collect' });
  return openKafkaGatewayTopic({
    ...kafkaConnectionOf({ kafka: { ...kafka, brokers } }, logger),
    topic,
    groupId,
  });
}

/** The state of a puller in a file that only its owner can read. */
export function openStateFile(path: string): StateFile {
  return {
    path,
    read: () => readSecretFile(path),
    write: (bytes) => writeSecretFile(path, bytes),
  };
}
