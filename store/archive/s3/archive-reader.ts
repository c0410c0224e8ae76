/**
 * Reads an archive in a bucket for verification. In: a bucket and a prefix. Out: the first locked version of each key;
 * every other version, every marker and every weakened lock as a failure. Only reads: the rights to list versions, to
 * get them and to see their locks suffice.
 */
import { holds } from '../../../schemas/archive-lock.ts';
import { GetObjectRetentionCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { PipelineError } from '../../../schemas/errors.ts';
import type { FailureCode } from '../../../schemas/verification-failures.ts';
import { parseKey, type ParsedKey } from '../../chain/layout.ts';
import type { ArchiveReader, ListedObject, Remains } from '../../verify/archive-reader.ts';
import type { Findings } from '../../verify/report.ts';
import type { LockProblem, StoredObject } from '../../verify/stored-object.ts';
import { describeError, outcomeOf, type S3Bucket } from './client.ts';
import { PROBE_FOLDER } from './probe-store.ts';
import { createReadAhead, type ReadAhead } from './read-ahead.ts';
import { withRetries, type Retrying } from './retry.ts';
import { damaged, fetchVersion, headVersion, type StoredVersion } from './stored-version.ts';
import { foldersBelow, listKeyVersions, type KeyVersions, type ObjectVersion } from './versions.ts';

interface S3ReaderOptions {
  readonly bucket: S3Bucket;
  /** Empty, or segments that each end in a slash. */
  readonly prefix: string;
  readonly retrying: Retrying;
}

interface Context extends S3ReaderOptions {
  readonly ahead: ReadAhead<StoredObject>;
  /** Keys whose version without lock the walk has reported already. The walk fills it. */
  readonly unlocked: Set<string>;
}

/** An attacker may add any number of versions; the first few are enough to report it. */
const MAX_LOOKED_AT = 16;
/** Version ids that a report names; the others are counted. */
const MAX_NAMED = 3;

/** Makes no request. */
export function openS3Reader(options: S3ReaderOptions): ArchiveReader {
  const context: Context = {
    ...options,
    unlocked: new Set(),
    ahead: createReadAhead((key, versionId) => readObject(context, key, versionId)),
  };
  return {
    kind: 'prefix',
    list: (below, what) => (what === 'folders' ? listFolders(context, below) : listKeys(context, below)),
    walk: (findings) => walk(context, findings),
    read: (key) => context.ahead.read(key),
    checkLock(key, { lock, problems = [] }, index, findings) {
      for (const { code, detail } of problems) findings.fail(code, index ?? indexOf(parseKey(key)), detail);
      return Promise.resolve(problems.length === 0 ? lock : undefined);
    },
    // The lock of a version is part of it, and a bucket has no folders: nothing remains without an object.
    remains: () => noRemains(),
  };
}

async function* walk(context: Context, findings: Findings): AsyncGenerator<ListedObject> {
  const { bucket, prefix, retrying, ahead } = context;
  for await (const found of listKeyVersions(bucket, retrying, { prefix })) {
    const key = found.key.slice(prefix.length);
    if (key.startsWith(PROBE_FOLDER)) continue;
    const parsed = parseKey(key);
    const truth =
      parsed === undefined ? found.versions[0] : await chooseVersion(context, found, parsed, findings);
    // A key with markers alone is not an object and hides none.
    if (truth === undefined) continue;
    if (parsed !== undefined) ahead.add(key, truth);
    // The key of an object may equal the prefix.
    yield { key: key === '' ? prefix : key, parsed };
  }
}

/**
 * The version to read: the oldest that carries a lock, and without locks the oldest. Other versions and markers under
 * the key are reported at the first leaf of the object.
 */
async function chooseVersion(
  context: Context,
  { key: path, versions, deleteMarkers }: KeyVersions,
  parsed: ParsedKey,
  findings: Findings,
): Promise<ObjectVersion | undefined> {
  const [first] = versions;
  // The only version is returned as it is: reading it shows its lock.
  if (versions.length === 1 && deleteMarkers.length === 0) return first;
  const key = path.slice(context.prefix.length);
  const fail = (code: FailureCode, ids: readonly string[], what: string) => {
    if (ids.length > 0) findings.fail(code, indexOf(parsed), `${key}: ${nameSome(ids)} ${what}`);
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

/** The first leaf of a bundle or payload object; null for other objects. */
function indexOf(parsed: ParsedKey | undefined): number | null {
  const holdsLeaves = parsed !== undefined && parsed.folder !== 'genesis' && parsed.folder !== 'checkpoint';
  return holdsLeaves ? (parsed.position ?? null) : null;
}

function nameSome(ids: readonly string[]): string {
  const named = ids.slice(0, MAX_NAMED).join(', ');
  const more = ids.length > MAX_NAMED ? ` and ${String(ids.length - MAX_NAMED)} more` : '';
  return `${named}${more}`;
}

async function* noRemains(): AsyncGenerator<Remains> {
  // Yields none.
}

async function* listFolders({ bucket, prefix, retrying }: Context, below: string): AsyncGenerator<string> {
  yield* await foldersBelow(bucket, retrying, `${prefix}${below}`);
}

async function* listKeys({ bucket, prefix, retrying }: Context, below: string): AsyncGenerator<string> {
  for await (const { key, versions } of listKeyVersions(bucket, retrying, { prefix: `${prefix}${below}` }))
    if (versions.length > 0) yield key.slice(prefix.length);
}

/** Looks at versions, oldest first, until one is locked, and at a few more to name those without lock. */
async function findTruth(
  { bucket, retrying }: Context,
  path: string,
  versions: readonly ObjectVersion[],
): Promise<{
  readonly truth: ObjectVersion | undefined;
  readonly unlocked: readonly string[];
}> {
  let truth: ObjectVersion | undefined;
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

/** The bytes of a version and the defects of how it is kept. Bytes that do not match their digest are read again first. */
async function readObject(context: Context, key: string, versionId: string): Promise<StoredObject> {
  const { bucket, prefix, retrying } = context;
  const path = `${prefix}${key}`;
  return withRetries(retrying, `reading ${path}`, async (failures) => {
    const { stored, bytes } = await fetchVersion(bucket, path, versionId);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const isLast = failures + 1 >= retrying.limits.maxAttempts;
    if (stored.sha256 !== undefined && stored.sha256 !== sha256 && !isLast) throw damaged(path);
    const problems = await problemsOf(context, key, { stored, sha256 });
    return { bytes, sha256, sizeBytes: bytes.length, lock: stored.lock, problems };
  });
}

async function problemsOf(
  { bucket, prefix, unlocked }: Context,
  key: string,
  { stored, sha256 }: { readonly stored: StoredVersion; readonly sha256: string },
): Promise<LockProblem[]> {
  const problems: LockProblem[] = [];
  const { lock, writtenUnder, versionId } = stored;
  const isDescribed = stored.sha256 !== undefined && writtenUnder !== undefined;
  if (!isDescribed) problems.push({ code: 'lock_damaged', detail: key });
  if (stored.sha256 !== undefined && stored.sha256 !== sha256) {
    problems.push({ code: 'object_damaged', detail: key });
  }
  if (lock === undefined) {
    const isLocked = await hasRetention(bucket, `${prefix}${key}`, versionId);
    if (!isLocked && !unlocked.has(key)) {
      problems.push({ code: 'version_unlocked', detail: `${key}: ${versionId} without lock` });
    }
  } else if (writtenUnder !== undefined && !holds(lock, writtenUnder)) {
    const describe = ({ mode, retain_until }: typeof lock) => `${mode} until ${retain_until}`;
    problems.push({
      code: 'lock_weakened',
      detail: `${key} was written under ${describe(writtenUnder)} and is under ${describe(lock)}`,
    });
  }
  return problems;
}

/**
 * Whether a version has a lock. HEAD omits the lock both where there is none and where the caller may not see it; this
 * request tells the two cases apart. Rejects with ARCHIVE_UNAVAILABLE where the caller may not see it.
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
    // For a bucket without object lock, stores answer that the request is invalid.
    if (!answer.startsWith('403 ')) return false;
    const detail = `the lock of ${Key} cannot be seen: ${answer}; grant s3:GetObjectRetention`;
    throw new PipelineError('ARCHIVE_UNAVAILABLE', detail, { cause: error });
  }
}
