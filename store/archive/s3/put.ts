/**
 * Create-only put under lock. In: a key, bytes and a lock. Out: who created the object, or an error. Invariant: when the
 * put resolves, the first locked version of the key has these bytes and at least this lock.
 */
import { PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { PipelineError } from '../../../schemas/errors.ts';
import { holds, type ArchiveLock } from '../../../schemas/archive-lock.ts';
import { outcomeOf, type S3Bucket } from './client.ts';
import { withRetries, type Retrying } from './retry.ts';
import {
  headVersion,
  judgeVersions,
  readVersion,
  type StoredVersion,
  type Tampering,
} from './stored-version.ts';
import { versionsOf } from './versions.ts';
import { expectedChecksum, writeVersion, type MultipartLimits, type WantedVersion } from './write-version.ts';

export interface PutContext {
  readonly bucket: S3Bucket;
  readonly retrying: Retrying;
  readonly multipart: MultipartLimits;
  readonly report: (key: string, tampering: readonly Tampering[]) => void;
}

/**
 * Three requests where nothing goes wrong: the put, then side by side HEAD of the new version and a listing of the key.
 * The listing makes creation exclusive where `If-None-Match` is not enough: over a delete marker, or on a store that
 * ignores it. After a crash behind each mark it is true that:
 *  1. nothing is stored, or the object with its lock as a whole: a store under object lock has no object without it.
 *  2. the object is durable; the caller has no answer, and its next put finds its first object.
 */
export function putObject(context: PutContext, wanted: WantedVersion): Promise<'created' | 'exists'> {
  const { bucket, retrying } = context;
  return withRetries(retrying, `putting ${wanted.key}`, async (failures) => {
    // The failed attempt may have been applied, or another writer may have come first.
    const present = failures === 0 ? undefined : await judgePresent(context, wanted);
    if (present !== undefined) return present;
    let versionId: string;
    try {
      versionId = await writeVersion(bucket, wanted, context); // 1
    } catch (error) {
      if (outcomeOf(error) !== 'exists') throw error;
      return (await judgePresent(context, wanted)) ?? refuseHidden(wanted.key);
    }
    return confirm(context, wanted, versionId); // 2
  });
}

/** Judges the versions that the key has already; undefined where it never had one. */
async function judgePresent(
  context: PutContext,
  wanted: WantedVersion,
): Promise<'created' | 'exists' | undefined> {
  const { bucket, retrying } = context;
  const found = await versionsOf(bucket, retrying, wanted.key);
  if (found === undefined) return undefined;
  const { truthId, tampering } = await judgeVersions(bucket, found);
  context.report(wanted.key, tampering);
  if (truthId !== undefined) return compare(context, wanted, truthId);
  if (found.versions.length === 0) return undefined;
  throw withoutLock(wanted.key);
}

async function compare(
  context: PutContext,
  wanted: WantedVersion,
  truthId: string,
): Promise<'created' | 'exists'> {
  const { stored, bytes } = await readVersion(context.bucket, wanted.key, truthId);
  if (stored.lock === undefined) throw withoutLock(wanted.key);
  if (!bytes.equals(wanted.bytes)) {
    throw new PipelineError('ARCHIVE_CONFLICT', `${wanted.key} exists with other bytes`, {
      place: wanted.key,
    });
  }
  await extendLock(context, wanted, stored, stored.lock);
  return stored.putId === wanted.putId ? 'created' : 'exists';
}

/** The version is durable. It must also be the first locked one of its key, and kept as it was sent. */
async function confirm(
  context: PutContext,
  wanted: WantedVersion,
  versionId: string,
): Promise<'created' | 'exists'> {
  const { bucket, retrying } = context;
  const [stored, found] = await Promise.all([
    headVersion(bucket, wanted.key, versionId),
    versionsOf(bucket, retrying, wanted.key),
  ]);
  await checkKept(context, wanted, stored);
  if (found === undefined) {
    throw new PipelineError('ARCHIVE_DAMAGED', `${wanted.key} was stored and is not listed`, {
      place: wanted.key,
    });
  }
  const { truthId, tampering } = await judgeVersions(bucket, found);
  context.report(wanted.key, tampering);
  if (truthId === undefined) throw withoutLock(wanted.key);
  return truthId === versionId ? 'created' : compare(context, wanted, truthId);
}

/** Throws ARCHIVE_DAMAGED, which stops the caller: no more evidence may go to a store that does not keep it. */
async function checkKept(context: PutContext, wanted: WantedVersion, stored: StoredVersion): Promise<void> {
  const problems: string[] = [];
  if (!holds(stored.lock, wanted.lock)) problems.push('the lock');
  if (stored.sizeBytes !== wanted.bytes.length) problems.push('the size');
  if (stored.checksum === undefined) await readVersion(context.bucket, wanted.key, stored.versionId);
  else if (stored.checksum !== expectedChecksum(wanted, context.multipart)) problems.push('the checksum');
  if (stored.sha256 !== wanted.sha256) problems.push('the metadata');
  if (problems.length === 0) return;
  const detail = `the store took ${wanted.key} and did not keep ${problems.join(', ')} it was given`;
  throw new PipelineError('ARCHIVE_DAMAGED', detail, { place: wanted.key });
}

/** The same bytes with a later date or a stricter mode: extending is the one change that a lock allows. */
async function extendLock(
  { bucket }: PutContext,
  { key, lock }: WantedVersion,
  { versionId }: StoredVersion,
  present: ArchiveLock,
): Promise<void> {
  if (holds(present, lock)) return;
  const isCompliance = present.mode === 'compliance' || lock.mode === 'compliance';
  const until = new Date(Math.max(Date.parse(present.retain_until), Date.parse(lock.retain_until)));
  await bucket.client.send(
    new PutObjectRetentionCommand({
      Bucket: bucket.bucket,
      Key: key,
      VersionId: versionId,
      Retention: { Mode: isCompliance ? 'COMPLIANCE' : 'GOVERNANCE', RetainUntilDate: until },
    }),
  );
  if (holds((await headVersion(bucket, key, versionId)).lock, lock)) return;
  throw new PipelineError('ARCHIVE_DAMAGED', `the store did not extend the lock of ${key}`, { place: key });
}

export function withoutLock(key: string): PipelineError {
  return new PipelineError('ARCHIVE_DAMAGED', `${key} has no version that is locked`, { place: key });
}

/** A store may count a delete marker as an object; then nothing can be created under this key any more. */
function refuseHidden(key: string): never {
  throw new PipelineError('ARCHIVE_UNAVAILABLE', `${key} is said to exist and has no version`);
}
