/**
 * A bucket as verification reads it. In: a bucket and a prefix. Out: of each key its first locked version, and every
 * other version, marker or weak lock as a failure. Only reads: rights to list versions, get them and see locks suffice.
 */
import { GetObjectRetentionCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { PipelineError } from '../../../schemas/errors.ts';
import type { FailureCode } from '../../../schemas/verification.ts';
import { parseKey, type Place } from '../../chain/layout.ts';
import type { ArchiveObject, LockProblem } from '../../verify/archive-object.ts';
import type { ArchiveSource, LoneLock, SourceEntry } from '../../verify/archive-source.ts';
import type { Findings } from '../../verify/report.ts';
import { describeError, outcomeOf, type S3Bucket } from './client.ts';
import { PROBE_FOLDER } from './probe.ts';
import { createReadAhead, type ReadAhead } from './read-ahead.ts';
import { withRetries, type Retrying } from './retry.ts';
import { damaged, fetchVersion, headVersion, holds, type StoredVersion } from './stored-version.ts';
import { listKeyVersions, namesBelow, type KeyVersions } from './versions.ts';

export interface S3SourceOptions {
  readonly bucket: S3Bucket;
  /** Empty, or segments that each end in a slash. */
  readonly prefix: string;
  readonly retrying: Retrying;
}

interface Context extends S3SourceOptions {
  readonly ahead: ReadAhead<ArchiveObject>;
  /** Keys of which the walk has already said that the version that is read carries no lock. */
  readonly unlocked: Set<string>;
}

/** Somebody may have added versions without end; the first few tell the story. */
const MAX_LOOKED_AT = 16;
const MAX_NAMED = 3;

/** Makes no request. */
export function openS3Source(options: S3SourceOptions): ArchiveSource {
  const { bucket, prefix, retrying } = options;
  const context: Context = {
    ...options,
    unlocked: new Set(),
    ahead: createReadAhead((key, versionId) => readObject(context, key, versionId)),
  };
  return {
    kind: 'prefix',
    namesIn: (folder) => namesBelow(bucket, retrying, `${prefix}${folder}`),
    walk: (findings) => walk(context, findings),
    read: (key) => context.ahead.read(key),
    checkLock(key, { problems = [] }, index, findings) {
      for (const { code, detail } of problems) findings.fail(code, index ?? indexOf(parseKey(key)), detail);
      return Promise.resolve();
    },
    // A lock is part of its object here, so none is ever alone.
    loneLocks: () => nothing(),
  };
}

async function* walk(context: Context, findings: Findings): AsyncGenerator<SourceEntry> {
  const { bucket, prefix, retrying, ahead } = context;
  for await (const found of listKeyVersions(bucket, retrying, { prefix })) {
    const key = found.key.slice(prefix.length);
    if (key.startsWith(PROBE_FOLDER)) continue;
    const place = parseKey(key);
    const truth = place === undefined ? found.versions[0] : await judge(context, found, place, findings);
    // What was never more than a marker is no object, and hides none.
    if (truth === undefined) continue;
    if (place !== undefined) ahead.add(key, truth);
    // An object may even have the name of the prefix itself.
    yield { key: key === '' ? prefix : key, place };
  }
}

/**
 * The version to read: the oldest that carries a lock, and where there is none the oldest. Whatever else lies under the
 * key is reported at the first leaf that its object speaks for.
 */
async function judge(
  context: Context,
  { key: path, versions, deleteMarkers }: KeyVersions,
  place: Place,
  findings: Findings,
): Promise<KeyVersions['versions'][number] | undefined> {
  const [first] = versions;
  // Whoever reads a version that is alone sees its lock.
  if (versions.length === 1 && deleteMarkers.length === 0) return first;
  const key = path.slice(context.prefix.length);
  const fail = (code: FailureCode, ids: readonly string[], what: string) => {
    if (ids.length > 0) findings.fail(code, indexOf(place), `${key}: ${nameSome(ids)} ${what}`);
  };
  const { truth, unlocked } = await findTruth(context, path, versions);
  const read = truth ?? first;
  if (read !== undefined && unlocked.includes(read.versionId)) context.unlocked.add(key);
  const others = versions.map(({ versionId }) => versionId).filter((id) => id !== read?.versionId);
  const verified = read === undefined ? 'and no version' : `${read.versionId}, which was verified`;
  fail('version_added', others, `beside ${verified}`);
  fail('version_unlocked', unlocked, 'without lock');
  const markers = deleteMarkers.map(({ versionId }) => versionId);
  fail('delete_marker_added', markers, read === undefined ? verified : `over ${verified}`);
  return read;
}

/** The first leaf that an object speaks for, if it is one that leaves lie in. */
function indexOf(place: Place | undefined): number | null {
  const holdsLeaves = place !== undefined && place.folder !== 'genesis' && place.folder !== 'checkpoint';
  return holdsLeaves ? (place.position ?? null) : null;
}

function nameSome(ids: readonly string[]): string {
  const named = ids.slice(0, MAX_NAMED).join(', ');
  const more = ids.length > MAX_NAMED ? ` and ${String(ids.length - MAX_NAMED)} more` : '';
  return `${named}${more}`;
}

async function* nothing(): AsyncGenerator<LoneLock> {
  // Yields none.
}

/** Looks at versions, oldest first, until one is locked, and at a few more to say which are not. */
async function findTruth(
  { bucket, retrying }: Context,
  path: string,
  versions: KeyVersions['versions'],
): Promise<{
  readonly truth: KeyVersions['versions'][number] | undefined;
  readonly unlocked: readonly string[];
}> {
  let truth: KeyVersions['versions'][number] | undefined;
  const unlocked: string[] = [];
  for (const [position, version] of versions.entries()) {
    if (truth !== undefined && position >= MAX_LOOKED_AT) break;
    const { versionId } = version;
    const isLocked = await withRetries(retrying, `describing ${path}`, async () => {
      const stored = await headVersion(bucket, path, versionId);
      return stored.lock !== undefined || (await hasRetention(bucket, path, versionId));
    });
    if (isLocked) truth ??= version;
    else unlocked.push(versionId);
  }
  return { truth, unlocked };
}

/** The bytes of a version and what is wrong with how it is kept. Bytes that do not fit are read again first. */
async function readObject(context: Context, key: string, versionId: string): Promise<ArchiveObject> {
  const { bucket, prefix, retrying } = context;
  const path = `${prefix}${key}`;
  return withRetries(retrying, `reading ${path}`, async (failures) => {
    const { stored, bytes } = await fetchVersion(bucket, path, versionId);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const isLast = failures + 1 >= retrying.limits.maxAttempts;
    if (stored.sha256 !== undefined && stored.sha256 !== sha256 && !isLast) throw damaged(path);
    const problems = await problemsOf(context, key, { stored, sha256 });
    return { bytes, sha256, size: bytes.length, problems };
  });
}

async function problemsOf(
  { bucket, prefix, unlocked }: Context,
  key: string,
  { stored, sha256 }: { readonly stored: StoredVersion; readonly sha256: string },
): Promise<LockProblem[]> {
  const problems: LockProblem[] = [];
  const { lock, writtenUnder, versionId } = stored;
  const isTold = stored.sha256 !== undefined && writtenUnder !== undefined;
  if (!isTold) problems.push({ code: 'lock_damaged', detail: key });
  if (stored.sha256 !== undefined && stored.sha256 !== sha256) {
    problems.push({ code: 'object_damaged', detail: key });
  }
  if (lock === undefined) {
    const isLocked = await hasRetention(bucket, `${prefix}${key}`, versionId);
    if (!isLocked && !unlocked.has(key)) {
      problems.push({ code: 'version_unlocked', detail: `${key}: ${versionId} without lock` });
    }
  } else if (writtenUnder !== undefined && !holds(lock, writtenUnder)) {
    const say = ({ mode, retain_until }: typeof lock) => `${mode} until ${retain_until}`;
    problems.push({
      code: 'lock_weakened',
      detail: `${key} was written under ${say(writtenUnder)} and is under ${say(lock)}`,
    });
  }
  return problems;
}

/**
 * A store shows the lock of a version only to those who may see it, and is silent to others: asked for the lock alone it
 * says which of the two it is. Rejects with ARCHIVE_UNAVAILABLE where it may not be seen.
 */
async function hasRetention({ client, bucket }: S3Bucket, Key: string, VersionId: string): Promise<boolean> {
  try {
    const { Retention } = await client.send(
      new GetObjectRetentionCommand({ Bucket: bucket, Key, VersionId }),
    );
    return Retention?.Mode !== undefined && Retention.RetainUntilDate !== undefined;
  } catch (error) {
    const answer = describeError(error);
    if (outcomeOf(error) === 'transient' || outcomeOf(error) === undefined) throw error;
    // Of a bucket without object lock stores say that the request is wrong.
    if (!answer.startsWith('403 ')) return false;
    const detail = `the lock of ${Key} cannot be seen: ${answer}; grant s3:GetObjectRetention`;
    throw new PipelineError('ARCHIVE_UNAVAILABLE', detail, { cause: error });
  }
}
