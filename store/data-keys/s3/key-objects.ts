/**
 * Objects of a key store in an S3 bucket without versions: a deletion there really deletes. In: names and bytes. Out: objects,
 * created by `If-None-Match: *` and replaced by `If-Match`. A write whose answer was lost is tried again: a create-only write
 * then finds its own object, which counts as there.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { PipelineError } from '../../../schemas/errors.ts';
import { outcomeOf, type S3Bucket } from '../../archive/s3/client.ts';
import { withRetries, type Retrying } from '../../archive/s3/retry.ts';
import { inParallel } from '../../../schemas/in-parallel.ts';
import type { KeyObjectChange, KeyObjects, NewKeyObject } from '../key-objects.ts';

/** One key store in a bucket. */
export interface KeyBucket {
  readonly bucket: S3Bucket;
  /** Empty, or segments that each end in a slash. */
  readonly prefix: string;
  readonly retrying: Retrying;
}

/** Requests that are under way at once. */
const MAX_REQUESTS_AT_ONCE = 32;

/** The objects in a bucket that `requireKeyBucket` has tried. Closing it closes the client. */
export function openS3KeyObjects(place: KeyBucket): KeyObjects {
  const all = <T, R>(items: readonly T[], work: (item: T) => Promise<R>) =>
    inParallel(items, MAX_REQUESTS_AT_ONCE, work);
  return {
    read: (names) => all(names, async (name) => (await readStored(place, name))?.bytes),
    create: (objects) => all(objects, (object) => createObject(place, object)),
    change: (changes) => all(changes, (change) => changeObject(place, change)),
    list: (prefix) => listNames(place, prefix),
    close() {
      place.bucket.client.destroy();
      return Promise.resolve();
    },
  };
}

/** As `withRetries`, with the code of the key store. */
export async function tried<T>(
  { retrying }: Pick<KeyBucket, 'retrying'>,
  attempt: string,
  work: (failures: number) => Promise<T>,
): Promise<T> {
  try {
    return await withRetries(retrying, attempt, work);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== 'ARCHIVE_UNAVAILABLE') throw error;
    throw new PipelineError('KEY_STORE_UNAVAILABLE', error.detail, { cause: error.cause });
  }
}

interface Stored {
  readonly bytes: Buffer;
  readonly etag: string | undefined;
}

function readStored(place: KeyBucket, name: string): Promise<Stored | undefined> {
  return tried(place, `reading ${name}`, () => getStored(place, name));
}

async function getStored({ bucket, prefix }: KeyBucket, name: string): Promise<Stored | undefined> {
  const command = new GetObjectCommand({ Bucket: bucket.bucket, Key: `${prefix}${name}` });
  const answer = await undefinedWhere('missing', bucket.client.send(command));
  if (answer?.Body === undefined) return undefined;
  return { bytes: Buffer.from(await answer.Body.transformToByteArray()), etag: answer.ETag };
}

function createObject(place: KeyBucket, object: NewKeyObject): Promise<'created' | 'exists'> {
  return tried(place, `creating ${object.name}`, async () => {
    const isCreated = await putObject(place, object, { IfNoneMatch: '*' });
    return isCreated ? 'created' : 'exists';
  });
}

/** False where the condition of the write does not hold. */
async function putObject(
  { bucket, prefix }: KeyBucket,
  { name, bytes }: NewKeyObject,
  condition: { readonly IfNoneMatch: '*' } | { readonly IfMatch: string | undefined },
): Promise<boolean> {
  const Key = `${prefix}${name}`;
  const body = { Body: bytes, ContentLength: bytes.length };
  const command = new PutObjectCommand({ Bucket: bucket.bucket, Key, ...body, ...condition });
  const answer = await undefinedWhere('exists', bucket.client.send(command));
  requireNoVersion(name, answer?.VersionId);
  return answer !== undefined;
}

function changeObject(place: KeyBucket, { name, from, to }: KeyObjectChange): Promise<boolean> {
  return tried(place, `changing ${name}`, async (failures) => {
    const found = await getStored(place, name);
    // An attempt whose answer was lost may have made the change.
    if (failures > 0 && (to === undefined ? found === undefined : found?.bytes.equals(to) === true))
      return true;
    if (found === undefined || (from !== undefined && !found.bytes.equals(from))) return false;
    if (to === undefined) return removeObject(place, name);
    const put = putObject(place, { name, bytes: to }, { IfMatch: found.etag });
    return (await undefinedWhere('missing', put)) ?? false;
  });
}

async function removeObject({ bucket, prefix }: KeyBucket, name: string): Promise<boolean> {
  const command = new DeleteObjectCommand({ Bucket: bucket.bucket, Key: `${prefix}${name}` });
  const answer = await bucket.client.send(command);
  requireNoVersion(name, answer.VersionId ?? (answer.DeleteMarker === true ? 'a delete marker' : undefined));
  return true;
}

/** A bucket that got versions after it was opened: from then on nothing can be destroyed there. */
function requireNoVersion(name: string, versionId: string | undefined): void {
  if (versionId === undefined) return;
  throw new PipelineError('KEY_STORE_UNFIT', `the bucket keeps versions: ${name} is version ${versionId}`);
}

async function* listNames(place: KeyBucket, below: string): AsyncGenerator<string> {
  const { bucket, prefix } = place;
  let ContinuationToken: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket.bucket,
      Prefix: `${prefix}${below}`,
      ContinuationToken,
    });
    const page: ListObjectsV2CommandOutput = await tried(place, `listing ${below}`, () =>
      bucket.client.send(command),
    );
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key.slice(prefix.length);
    ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (ContinuationToken !== undefined);
}

async function undefinedWhere<T>(outcome: 'missing' | 'exists', answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (outcomeOf(error) !== outcome) throw error;
    return undefined;
  }
}
