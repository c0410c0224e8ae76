/** Opens the S3 archive on a test server with short waits, and collects its findings and retries. */
import type { Archive } from '../../store/archive/archive.ts';
import { openS3Archive, type S3ArchiveOptions } from '../../store/archive/s3/archive.ts';
import { openBucket, type S3Bucket } from '../../store/archive/s3/client.ts';
import type { Retrying } from '../../store/archive/s3/retry.ts';
import type { Tampering } from '../../store/archive/s3/stored-version.ts';
import { versionsOf, type KeyVersions } from '../../store/archive/s3/versions.ts';
import { REGION, type S3Server } from './s3-server.ts';

export interface OpenedS3Archive {
  readonly archive: Archive;
  readonly tampering: (readonly [key: string, what: Tampering])[];
  readonly retries: string[];
}

/** For reads past the archive: short waits that do not sleep. */
export const TEST_RETRYING: Retrying = {
  limits: { maxAttempts: 4, baseDelayMs: 1, maxDelayMs: 1 },
  random: () => 0.5,
  sleep: () => Promise.resolve(),
};

let putCount = 0;

export function openTestArchive(
  server: Pick<S3Server, 'credentials'>,
  target: Pick<S3ArchiveOptions, 'endpoint' | 'bucket'> & Partial<S3ArchiveOptions>,
): OpenedS3Archive {
  const tampering: (readonly [string, Tampering])[] = [];
  const retries: string[] = [];
  const archive = openS3Archive({
    region: REGION,
    credentials: server.credentials,
    retry: { maxAttempts: 4, baseDelayMs: 5, maxDelayMs: 20 },
    random: () => 0.5,
    newPutId: () => `put-${String((putCount += 1))}`,
    sleep: () => Promise.resolve(),
    onTampering: (key, what) => void tampering.push([key, what]),
    onRetry: (_attempt, cause) => void retries.push(cause),
    ...target,
  });
  return { archive, tampering, retries };
}

/** All versions and markers of one key, the prefix included. */
export async function allVersions(bucket: S3Bucket, key: string): Promise<KeyVersions> {
  const found = await versionsOf(bucket, TEST_RETRYING, key);
  if (found === undefined) throw new Error(`no version of ${key}`);
  return found;
}

/** The bucket as somebody else with the same rights sees it. */
export function openTestBucket(server: S3Server, bucket: string): S3Bucket {
  return openBucket({ endpoint: server.endpoint, region: REGION, bucket, credentials: server.credentials });
}
