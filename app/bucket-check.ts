/** Verifies an archive in a bucket, bound to network and chance. Part of the composition root. */
import { setTimeout as sleep } from 'node:timers/promises';
import { s3ConnectionOf } from './archive.ts';
import type { Config } from '../config.ts';
import type { VerificationReport } from '../schemas/verification.ts';
import { checkArchivePrefix } from '../store/archive/archive-key.ts';
import { verifyReader } from '../store/verify/verify-archive.ts';
import type { VerifyOptions } from '../store/verify/report.ts';
import { openS3Reader } from '../store/archive/s3/archive-reader.ts';
import { openBucket } from '../store/archive/s3/client.ts';
import { RETRY_LIMITS } from '../store/archive/s3/retry.ts';
import { requireBucket } from '../store/archive/s3/versions.ts';

export interface BucketTarget {
  /** Instead of the configured ones. */
  readonly bucket?: string | undefined;
  readonly prefix?: string | undefined;
}

/**
 * Verifies an archive in a bucket from its own objects; rights to list and read suffice, and nothing of this machine is
 * needed but the configured endpoint, region and keys. Throws ARCHIVE_UNAVAILABLE where the bucket cannot be read.
 */
export async function verifyBucket(
  { s3 }: Pick<Config, 's3'>,
  target: BucketTarget,
  options: VerifyOptions,
): Promise<VerificationReport> {
  const { bucket: name = s3.bucket, prefix = s3.prefix } = target;
  checkArchivePrefix(prefix);
  const wanted = { ...s3, ...(name === undefined ? {} : { bucket: name }) };
  const bucket = openBucket(s3ConnectionOf({ s3: wanted }));
  try {
    await requireBucket(bucket, prefix);
    const pause = (ms: number) => sleep(ms);
    const retrying = { limits: RETRY_LIMITS, random: () => Math.random(), sleep: pause };
    return await verifyReader(openS3Reader({ bucket, prefix, retrying }), options);
  } finally {
    bucket.client.destroy();
  }
}
