/** Opens what collectors read: a folder, a bucket, a topic. Part of the composition root. */
import { setTimeout as sleep } from 'node:timers/promises';
import { destination, pino } from 'pino';
import { s3ConnectionOf } from './archive.ts';
import { connectionOf } from './event-log.ts';
import type { Config } from '../config.ts';
import type { Topic } from '../ingest/pull/gateway-topic.ts';
import { openFolderOfLogs } from '../ingest/pull/local/gateway-logs.ts';
import type { LogFiles } from '../ingest/pull/gateway-logs.ts';

export type { LogFile, LogFiles } from '../ingest/pull/gateway-logs.ts';
export type { ReadTopicOptions, Topic, TopicBatch, TopicGap } from '../ingest/pull/gateway-topic.ts';
export { openFolderOfLogs };

/** Endpoint, region and keys are those of the configured archive; the bucket is the caller's. Asks it nothing yet. */
export async function openBucketOfLogs(
  { s3 }: Pick<Config, 's3'>,
  { bucket: name, prefix }: { readonly bucket: string; readonly prefix: string },
): Promise<LogFiles> {
  const [{ openBucket }, { openBucketOfLogs: open }, { RETRY_LIMITS }] = await Promise.all([
    import('../store/archive/s3/client.ts'),
    import('../ingest/pull/s3/gateway-logs.ts'),
    import('../store/archive/s3/retry.ts'),
  ]);
  const bucket = openBucket(s3ConnectionOf({ s3: { ...s3, bucket: name } }));
  const pause = (ms: number) => sleep(ms);
  return open({
    bucket,
    prefix,
    retrying: { limits: RETRY_LIMITS, random: () => Math.random(), sleep: pause },
  });
}

const STANDARD_ERROR = 2;

/** TLS and credentials are those of the configured event log; brokers, topic and group are the caller's. */
export async function openTopic(
  { kafka, log_level }: Pick<Config, 'kafka' | 'log_level'>,
  wanted: { readonly brokers: string; readonly topic: string; readonly groupId: string },
): Promise<Topic> {
  const { openKafkaTopic } = await import('../ingest/kafka/topic.ts');
  const { brokers, topic, groupId } = wanted;
  const logger = pino(
    { level: log_level, base: { role: 'collect' } },
    destination({ fd: STANDARD_ERROR, sync: true }),
  );
  return openKafkaTopic({ ...connectionOf({ kafka: { ...kafka, brokers } }, logger), topic, groupId });
}
