/**
 * Whether a bucket may hold keys, found out by trying. In: a bucket. Out: nothing, or KEY_STORE_UNFIT. A store must refuse a
 * second creation of one object, or two processes would use two keys for one address; and it must lose what is deleted, or
 * a destroyed key would live on as an old version.
 */
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { PipelineError } from '../../../schemas/errors.ts';
import { describeError, outcomeOf } from '../../archive/s3/client.ts';
import { tried, type KeyBucket } from './key-objects.ts';

/** Nothing in it is a key. */
const PROBE_FOLDER = 'probe/';
/** Creators that race for one object; some stores look first and write later, and let several of them win. */
const RIVALS = 16;
/** Races, because a store that lets several win does so by chance. */
const RACES = 20;

/**
 * Tries the bucket on throw-away objects, about 350 small requests. Throws KEY_STORE_UNFIT where it keeps or kept versions,
 * or lets more than one creator win, and KEY_STORE_UNAVAILABLE where it does not answer.
 *
 * @param id a name that nobody else has
 */
export async function requireKeyBucket(place: KeyBucket, id: string): Promise<void> {
  const name = `${PROBE_FOLDER}${id}`;
  const status = await versioningOf(place);
  if (status !== undefined && status !== 'unknown') throw unfit(place, `its versioning is ${status}`);
  const first = await create(place, name);
  if (first === 'exists') throw unfit(place, `it says that ${name} exists, which was never made`);
  // A store that gives versions has taken the object as one of them.
  if (first.versionId !== undefined) throw unfit(place, `it made ${name} as version ${first.versionId}`);
  if ((await create(place, name)) !== 'exists') throw unfit(place, 'it ignores If-None-Match');
  await remove(place, name);
  const left = await versionsOf(place, name);
  if (left > 0) throw unfit(place, `it keeps ${String(left)} versions of an object that was deleted`);
  if (left < 0 && status === 'unknown') throw unfit(place, 'it does not say whether it keeps versions');
  for (let race = 0; race < RACES; race += 1) await requireOneWinner(place, `${name}-${String(race)}`);
}

/** A lost answer may make a winner look like a loser, never the other way. */
async function requireOneWinner(place: KeyBucket, name: string): Promise<void> {
  const outcomes = await Promise.all(Array.from({ length: RIVALS }, () => create(place, name)));
  await remove(place, name);
  const winners = outcomes.filter((outcome) => outcome !== 'exists').length;
  if (winners <= 1) return;
  throw unfit(place, `it ignores If-None-Match in a race: ${String(winners)} creators of one object won`);
}

async function remove(place: KeyBucket, name: string): Promise<void> {
  const command = new DeleteObjectCommand(keyOf(place, name));
  await tried(place, 'trying to delete', () => place.bucket.client.send(command));
}

/** Undefined where the bucket never had versions; `unknown` where the store or the rights do not say. */
async function versioningOf(place: KeyBucket): Promise<string | undefined> {
  const { client, bucket } = place.bucket;
  return tried(place, 'asking for versions', async () => {
    try {
      return (await client.send(new GetBucketVersioningCommand({ Bucket: bucket }))).Status;
    } catch (error) {
      return requireRefusal(error, 'unknown');
    }
  });
}

async function create(
  place: KeyBucket,
  name: string,
): Promise<'exists' | { readonly versionId: string | undefined }> {
  return tried(place, 'trying to create', async () => {
    try {
      const command = new PutObjectCommand({ ...keyOf(place, name), Body: 'probe', IfNoneMatch: '*' });
      return { versionId: (await place.bucket.client.send(command)).VersionId };
    } catch (error) {
      if (outcomeOf(error) === 'exists') return 'exists';
      throw error;
    }
  });
}

/** Versions and delete markers of a name; -1 where the store or the rights do not say. */
async function versionsOf(place: KeyBucket, name: string): Promise<number> {
  const { Bucket, Key } = keyOf(place, name);
  return tried(place, 'listing versions', async () => {
    try {
      const page = await place.bucket.client.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }));
      return (page.Versions?.length ?? 0) + (page.DeleteMarkers?.length ?? 0);
    } catch (error) {
      return requireRefusal(error, -1);
    }
  });
}

/** A bucket that is not there is unavailable, and not a refusal. */
function requireRefusal<T>(error: unknown, value: T): T {
  const isRefusal = outcomeOf(error) === 'refused' || describeError(error).startsWith('501 ');
  if (!isRefusal || /NoSuchBucket|InvalidAccessKeyId|SignatureDoesNotMatch/.test(describeError(error)))
    throw error;
  return value;
}

function keyOf({ bucket, prefix }: KeyBucket, name: string) {
  return { Bucket: bucket.bucket, Key: `${prefix}${name}` };
}

function unfit({ bucket }: KeyBucket, observed: string): PipelineError {
  return new PipelineError('KEY_STORE_UNFIT', `the bucket ${bucket.bucket} must not hold keys: ${observed}`);
}
