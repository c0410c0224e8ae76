/** An archive folder's objects in a bucket, and how a test reads the bucket for verification. */
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import { openS3Reader } from '../../store/archive/s3/archive-reader.ts';
import type { S3Bucket } from '../../store/archive/s3/client.ts';
import { verifyReader } from '../../store/verify/verify-archive.ts';
import type { VerifyOptions } from '../../store/verify/report.ts';
import { openTestArchive, TEST_RETRYING } from './s3-server-archive.ts';
import type { S3Server } from './s3-server.ts';

/** Puts every object of the folder under the prefix, as the writer of an archive does. */
export async function copyToBucket(
  server: S3Server,
  dir: string,
  target: { readonly bucket: string; readonly prefix: string; readonly lock: ArchiveLock },
): Promise<void> {
  const { lock, ...place } = target;
  const from = await openLocalArchive({ dir, clock: Date.now });
  const { archive: to } = openTestArchive(server, { endpoint: server.endpoint, ...place });
  for await (const key of from.list('')) {
    const bytes = await from.get(key);
    if (bytes !== undefined) await to.put(key, bytes, lock);
  }
  await to.close();
}

export function verifyInBucket(bucket: S3Bucket, prefix: string, options: VerifyOptions = {}) {
  return verifyReader(openS3Reader({ bucket, prefix, retrying: TEST_RETRYING }), options);
}
