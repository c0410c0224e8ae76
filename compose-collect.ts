/** Opens what collectors read: a folder, a bucket. Part of the composition root. */
import { setTimeout as sleep } from 'node:timers/promises';
import { s3ConnectionOf } from './compose-archive.ts';
import type { Config } from './config.ts';
import { openFolderOfLogs } from './store/local/log-files.ts';
import type { LogFiles } from './store/log-files.ts';

export type { LogFile, LogFiles } from './store/log-files.ts';
export { openFolderOfLogs };

/** Endpoint, region and keys are those of the configured archive; the bucket is the caller's. Asks it nothing yet. */
export async function openBucketOfLogs(
  { s3 }: Pick<Config, 's3'>,
  { bucket: name, prefix }: { readonly bucket: string; readonly prefix: string },
): Promise<LogFiles> {
  const [{ openBucket }, { openBucketOfLogs: open }, { RETRY_LIMITS }] = await Promise.all([
    import('./store/s3/client.ts'),
    import('./store/s3/log-files.ts'),
    import('./store/s3/retry.ts'),
  ]);
  const bucket = openBucket(s3ConnectionOf({ s3: { ...s3, bucket: name } }));
  const pause = (ms: number) => sleep(ms);
  return open({
    bucket,
    prefix,
    retrying: { limits: RETRY_LIMITS, random: () => Math.random(), sleep: pause },
  });
}
