/** Opens the S3 archive on a test server, with what a test wants to see and short waits. */
import { openS3Archive, type S3Archive, type S3ArchiveOptions } from '../../store/archive/s3/archive.ts';
import { openBucket, type S3Bucket } from '../../store/archive/s3/client.ts';
import type { Tampering } from '../../store/archive/s3/stored-version.ts';
import { REGION, type S3Server } from './s3-server.ts';

export interface OpenedS3Archive {
  readonly archive: S3Archive;
  readonly tampering: (readonly [key: string, what: Tampering])[];
  readonly retries: string[];
}

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

/** The bucket as somebody else with the same rights sees it. */
export function openTestBucket(server: S3Server, bucket: string): S3Bucket {
  return openBucket({ endpoint: server.endpoint, region: REGION, bucket, credentials: server.credentials });
}
