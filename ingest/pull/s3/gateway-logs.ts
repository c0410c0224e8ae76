/** Log files in a bucket, below a prefix. Rights to list and read suffice. */
import { GetObjectCommand, ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { PipelineError } from '../../../schemas/errors.ts';
import { byName, isHidden, type GatewayLogFile, type GatewayLogs } from '../gateway-logs.ts';
import { describeError, outcomeOf, type S3Bucket } from '../../../store/archive/s3/client.ts';
import { withRetries, type Retrying } from '../../../store/archive/s3/retry.ts';

export interface BucketOfLogsOptions {
  readonly bucket: S3Bucket;
  /** Keys begin with it; the rest of a key is the name of the file. */
  readonly prefix: string;
  readonly retrying: Retrying;
}

/** An object is written as a whole, so it never grows; an object that is replaced gets another ETag. */
export function openBucketOfLogs(options: BucketOfLogsOptions): GatewayLogs {
  const { bucket, prefix, retrying } = options;
  return {
    list: async () => {
      try {
        return (await listObjects(options)).sort(byName);
      } catch (error) {
        throw toUnavailable(error, `s3://${bucket.bucket}/${prefix} cannot be listed`);
      }
    },
    read: (file) => readObject({ bucket, prefix, retrying }, file),
    close: () => bucket.client.destroy(),
  };
}

async function listObjects(options: BucketOfLogsOptions): Promise<GatewayLogFile[]> {
  const files: GatewayLogFile[] = [];
  for await (const { Contents = [] } of pages(options)) {
    for (const { Key = '', Size = 0, ETag = '' } of Contents) {
      const name = Key.slice(options.prefix.length);
      // Some programs store a key that ends in a slash to show a folder.
      if (name === '' || name.endsWith('/') || isHidden(name)) continue;
      files.push({ name, sizeBytes: Size, version: `${String(Size)}-${ETag}`, mayGrow: false });
    }
  }
  return files;
}

async function* pages({
  bucket,
  prefix,
  retrying,
}: BucketOfLogsOptions): AsyncGenerator<ListObjectsV2CommandOutput> {
  let token: string | undefined;
  do {
    const command: ListObjectsV2Command = new ListObjectsV2Command({
      Bucket: bucket.bucket,
      Prefix: prefix,
      ContinuationToken: token,
    });
    const page = await withRetries(retrying, `listing ${prefix}`, () => bucket.client.send(command));
    yield page;
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

async function* readObject(
  { bucket, prefix, retrying }: BucketOfLogsOptions,
  { name, version, sizeBytes }: GatewayLogFile,
): AsyncGenerator<Buffer> {
  const key = `${prefix}${name}`;
  const etag = version.slice(version.indexOf('-') + 1);
  const command = new GetObjectCommand({ Bucket: bucket.bucket, Key: key, IfMatch: etag });
  try {
    const { Body } = await withRetries(retrying, `reading ${key}`, async () => {
      try {
        return await bucket.client.send(command);
      } catch (error) {
        throw toFileProblem(error, key) ?? error;
      }
    });
    let read = 0;
    for await (const piece of Body as Readable as AsyncIterable<Buffer>) {
      read += piece.length;
      yield piece;
    }
    if (read !== sizeBytes) throw new PipelineError('STORE_UNAVAILABLE', `${key} ended early`);
  } catch (error) {
    throw toUnavailable(error, `${key} cannot be read`);
  }
}

/** Status 412 means that another object has the key by now. */
function toFileProblem(error: unknown, key: string): PipelineError | undefined {
  const outcome = outcomeOf(error);
  if (outcome === 'missing' || outcome === 'exists') {
    return new PipelineError('NOT_FOUND', `${key} is gone or was replaced since it was listed`, {
      cause: error,
    });
  }
  if (outcome !== 'refused') return undefined;
  return new PipelineError('AUTH_FORBIDDEN', `${key}: ${describeError(error)}`, { cause: error });
}

/** This bucket is not the archive, so its errors must not name the archive. */
function toUnavailable(error: unknown, attempted: string): unknown {
  if (error instanceof PipelineError) {
    return error.code === 'ARCHIVE_UNAVAILABLE'
      ? new PipelineError('STORE_UNAVAILABLE', error.detail, { cause: error })
      : error;
  }
  if (outcomeOf(error) === undefined) return error;
  return new PipelineError('STORE_UNAVAILABLE', `${attempted}: ${describeError(error)}`, { cause: error });
}
