/**
 * Archive in a bucket with S3 Object Lock. In: keys and bytes. Out: the same bytes, or an error. Invariant: what is
 * read under a key is its first locked version, whatever was written or marked as deleted after it.
 *
 * The store enforces the lock: under COMPLIANCE nobody shortens or removes it. `affidavit probe` tells whether a store
 * does what its answers say; docs/adr/0011-s3-object-lock.md has the decisions.
 */
import { PutObjectLegalHoldCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { Value } from 'typebox/value';
import { toInstant } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { InstantUtc } from '../../../schemas/primitives.ts';
import { checkArchivePrefix, checkKey, checkPrefix, isKey } from '../archive-key.ts';
import type { Archive, ArchiveLock } from '../archive.ts';
import { openBucket, type S3Connection } from './client.ts';
import { putObject, withoutLock, type PutContext } from './put.ts';
import { RETRY_LIMITS, withRetries, type Retrying, type RetryLimits } from './retry.ts';
import {
  headVersion,
  judgeVersions,
  readVersion,
  type StoredVersion,
  type Tampering,
} from './stored-version.ts';
import { listKeyVersions, versionsOf, type KeyVersions } from './versions.ts';
import { MULTIPART_LIMITS, type MultipartLimits, type WantedVersion } from './write-version.ts';

export interface S3ArchiveOptions extends S3Connection {
  /** Before every key: empty, or segments that each end in a slash. */
  readonly prefix?: string | undefined;
  /** Instead of the mode that a put asks for: a trial bucket may have GOVERNANCE throughout. */
  readonly mode?: ArchiveLock['mode'] | undefined;
  readonly retry?: RetryLimits | undefined;
  readonly multipart?: MultipartLimits | undefined;
  /** Even in [0, 1). */
  readonly random: () => number;
  /** A new id that no other put of any process has. */
  readonly newPutId: () => string;
  readonly sleep: (ms: number) => Promise<void>;
  /** Called once for each finding of a process, with the archive's key. What is read and written goes on unharmed. */
  readonly onTampering: (key: string, what: Tampering) => void;
  /** Called before a request is repeated, with what broke. */
  readonly onRetry?: ((attempt: string, cause: string) => void) | undefined;
}

export interface S3Archive extends Archive {
  /**
   * For verification: every key below the prefix, also those that markers hide and those that are no key of an archive,
   * with all versions and markers, in ascending byte order. One request per thousand versions.
   */
  listVersions(prefix: string): AsyncIterable<KeyVersions>;
  /** What the store says of one version: lock, hold, size, digests. Rejects with ARCHIVE_UNAVAILABLE. */
  describeVersion(key: string, versionId: string): Promise<StoredVersion>;
  /** The bytes of one version, whether it is the truth or not. */
  getVersion(key: string, versionId: string): Promise<Uint8Array>;
  /**
   * Sets or lifts a legal hold on the version that `get` reads. A held object cannot be deleted even when its date has
   * passed. Rejects with NOT_FOUND, or ARCHIVE_DAMAGED if the store does not keep it.
   */
  setLegalHold(key: string, isHeld: boolean): Promise<void>;
}

interface Context extends PutContext {
  readonly prefix: string;
}

/** Makes no request: whether the bucket does what it must is for the probe to find out. */
export function openS3Archive(options: S3ArchiveOptions): S3Archive {
  const { prefix = '', mode, newPutId } = options;
  checkArchivePrefix(prefix);
  const bucket = openBucket(options);
  const context: Context = {
    bucket,
    prefix,
    retrying: toRetrying(options),
    multipart: options.multipart ?? MULTIPART_LIMITS,
    report: createReporter(prefix, options.onTampering),
  };
  const whole = (key: string) => {
    checkKey(key, prefix);
    return `${prefix}${key}`;
  };
  const retried = <T>(attempt: string, work: () => Promise<T>) =>
    withRetries(context.retrying, attempt, work);
  return {
    put: async (key, bytes, lock) =>
      putObject(context, toWanted(whole(key), bytes, { ...lock, mode: mode ?? lock.mode }, newPutId())),
    get: async (key) => {
      const path = whole(key);
      return retried(`getting ${key}`, () => getObject(context, path));
    },
    list: (below, after) => listKeys(context, below, after),
    listVersions: (below) => listBelow(context, below),
    describeVersion: async (key, id) =>
      retried(`describing ${key}`, () => headVersion(bucket, `${prefix}${key}`, id)),
    getVersion: async (key, id) =>
      retried(`getting ${key}`, async () => (await readVersion(bucket, `${prefix}${key}`, id)).bytes),
    setLegalHold: async (key, isHeld) => {
      const path = whole(key);
      return retried(`holding ${key}`, () => setLegalHold(context, path, isHeld));
    },
    close() {
      bucket.client.destroy();
      return Promise.resolve();
    },
  };
}

function toRetrying({ retry = RETRY_LIMITS, random, sleep, onRetry }: S3ArchiveOptions): Retrying {
  return { limits: retry, random, sleep, onRetry };
}

/** Beyond it findings may be said again, rather than remembered without end. */
const MAX_REMEMBERED = 10_000;

/** Says each finding once: a key that is read a hundred times was tampered with once. */
function createReporter(prefix: string, onTampering: S3ArchiveOptions['onTampering']): PutContext['report'] {
  const said = new Set<string>();
  return (key, tampering) => {
    for (const what of tampering) {
      const finding = JSON.stringify([key, what]);
      if (said.has(finding)) continue;
      if (said.size >= MAX_REMEMBERED) said.clear();
      said.add(finding);
      onTampering(key.slice(prefix.length), what);
    }
  };
}

/** Throws PARAMETER_INVALID for a retention date that could not be read back. */
function toWanted(key: string, bytes: Uint8Array, lock: ArchiveLock, putId: string): WantedVersion {
  if (!Value.Check(InstantUtc, lock.retain_until) || Number.isNaN(Date.parse(lock.retain_until))) {
    throw new PipelineError('PARAMETER_INVALID', 'archive lock is not valid', { place: key });
  }
  // Stores keep whole seconds; the next full one is never earlier than what was asked for.
  const retain_until = toInstant(Math.ceil(Date.parse(lock.retain_until) / 1000) * 1000);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { key, bytes, sha256, lock: { mode: lock.mode, retain_until }, putId };
}

/** Two requests: which versions there are, and the first of them. */
async function getObject(context: Context, path: string): Promise<Uint8Array | undefined> {
  const truthId = await findTruth(context, path);
  if (truthId === undefined) return undefined;
  const { stored, bytes } = await readVersion(context.bucket, path, truthId);
  if (stored.lock === undefined) throw withoutLock(path);
  return bytes;
}

/** Undefined for a key that never had a version; ARCHIVE_DAMAGED if none of several is locked. */
async function findTruth({ bucket, retrying, report }: Context, path: string): Promise<string | undefined> {
  const found = await versionsOf(bucket, retrying, path);
  if (found === undefined) return undefined;
  const { truthId, tampering } = await judgeVersions(bucket, found);
  report(path, tampering);
  if (truthId === undefined && found.versions.length > 0) throw withoutLock(path);
  return truthId;
}

/**
 * Keys with one version and no marker are listed as they are; the others are judged first. A key whose only version
 * carries no lock is listed, and reading it says ARCHIVE_DAMAGED.
 */
async function* listKeys(context: Context, below: string, after?: string): AsyncGenerator<string> {
  checkPrefix(below);
  let previous = '';
  for await (const found of listBelow(context, below, after)) {
    if (!isKey(found.key)) continue;
    // Recovery takes the last bundle for the newest: a store that lists in another order must not get that far.
    if (found.key < previous) {
      throw new PipelineError('ARCHIVE_DAMAGED', `the store lists ${found.key} after ${previous}`);
    }
    previous = found.key;
    if (await isThere(context, found)) yield found.key;
  }
}

async function isThere({ bucket, prefix, retrying, report }: Context, found: KeyVersions): Promise<boolean> {
  const key = `${prefix}${found.key}`;
  const judge = () => judgeVersions(bucket, { ...found, key });
  const { truthId, tampering } = await withRetries(retrying, `listing ${found.key}`, judge);
  report(key, tampering);
  return truthId !== undefined;
}

async function* listBelow(
  { bucket, prefix, retrying }: Context,
  below: string,
  after?: string,
): AsyncGenerator<KeyVersions> {
  const range = { prefix: `${prefix}${below}`, after: after === undefined ? undefined : `${prefix}${after}` };
  for await (const found of listKeyVersions(bucket, retrying, range)) {
    yield { ...found, key: found.key.slice(prefix.length) };
  }
}

async function setLegalHold(context: Context, path: string, isHeld: boolean): Promise<void> {
  const { client, bucket } = context.bucket;
  const versionId = await findTruth(context, path);
  if (versionId === undefined) throw new PipelineError('NOT_FOUND', `${path} is not in the archive`);
  await client.send(
    new PutObjectLegalHoldCommand({
      Bucket: bucket,
      Key: path,
      VersionId: versionId,
      LegalHold: { Status: isHeld ? 'ON' : 'OFF' },
    }),
  );
  if ((await headVersion(context.bucket, path, versionId)).legalHold === isHeld) return;
  throw new PipelineError('ARCHIVE_DAMAGED', `the store did not keep the legal hold of ${path}`, {
    place: path,
  });
}
