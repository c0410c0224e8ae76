/**
 * Archive in a bucket with S3 Object Lock. In: keys and bytes. Out: the same bytes, or an error. Invariant: a key reads
 * as its first locked version, whatever was written or marked as deleted after it.
 *
 * The store enforces the lock: under COMPLIANCE nobody shortens or removes it. `affidavit probe` checks whether a store
 * does what it answers; docs/adr/0011-s3-object-lock.md has the decisions.
 */
import { createHash } from 'node:crypto';
import { Value } from 'typebox/value';
import { toInstant } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { InstantUtc } from '../../../schemas/primitives.ts';
import { checkArchivePrefix, checkKey, checkPrefix, isKey } from '../archive-key.ts';
import type { ArchiveLock } from '../../../schemas/archive-lock.ts';
import type { Archive } from '../archive.ts';
import { openBucket, type S3Connection } from './client.ts';
import { putObject, withoutLock, type PutContext } from './put.ts';
import { RETRY_LIMITS, withRetries, type Retrying, type RetryLimits } from './retry.ts';
import { judgeVersions, readVersion, type Tampering } from './stored-version.ts';
import { foldersBelow, listKeyVersions, versionsOf, type KeyVersions } from './versions.ts';
import { MULTIPART_LIMITS, type MultipartLimits, type WantedVersion } from './write-version.ts';

export interface S3ArchiveOptions extends S3Connection {
  /** Before every key: empty, or segments that each end in a slash. */
  readonly prefix?: string | undefined;
  /** Replaces the mode that a put asks for: a trial bucket may use GOVERNANCE for all objects. */
  readonly mode?: ArchiveLock['mode'] | undefined;
  readonly retry?: RetryLimits | undefined;
  readonly multipart?: MultipartLimits | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A new id, unique among the puts of all processes. */
  readonly newPutId: () => string;
  readonly sleep: (ms: number) => Promise<void>;
  /** Called once for each finding of a process, with the archive's key. Reading and writing go on unharmed. */
  readonly onTampering: (key: string, what: Tampering) => void;
  /** Called before a request is repeated, with the reason. */
  readonly onRetry?: ((attempt: string, cause: string) => void) | undefined;
}

interface Context extends PutContext {
  readonly prefix: string;
}

/** Makes no request; the probe checks whether the bucket keeps its locks. */
export function openS3Archive(options: S3ArchiveOptions): Archive {
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
  return {
    put: async (key, bytes, lock) =>
      putObject(context, toWanted(whole(key), bytes, { ...lock, mode: mode ?? lock.mode }, newPutId())),
    get: async (key) => {
      const path = whole(key);
      return withRetries(context.retrying, `getting ${key}`, () => getObject(context, path));
    },
    list: (below, after) => listKeys(context, below, after),
    folders: async (below) => {
      checkPrefix(below);
      return (await foldersBelow(bucket, context.retrying, `${prefix}${below}`)).filter(isKey);
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

/** Beyond it findings may be reported again, so that memory stays bounded. */
const MAX_REMEMBERED = 10_000;

/** Reports each finding once, however often the key is read. */
function createReporter(prefix: string, onTampering: S3ArchiveOptions['onTampering']): PutContext['report'] {
  const reported = new Set<string>();
  return (key, tampering) => {
    for (const what of tampering) {
      const finding = JSON.stringify([key, what]);
      if (reported.has(finding)) continue;
      if (reported.size >= MAX_REMEMBERED) reported.clear();
      reported.add(finding);
      onTampering(key.slice(prefix.length), what);
    }
  };
}

/** Throws PARAMETER_INVALID for a retention date that could not be read back. */
function toWanted(key: string, bytes: Uint8Array, lock: ArchiveLock, putId: string): WantedVersion {
  if (!Value.Check(InstantUtc, lock.retain_until) || Number.isNaN(Date.parse(lock.retain_until))) {
    throw new PipelineError('PARAMETER_INVALID', 'archive lock is not valid', { place: key });
  }
  // Stores keep whole seconds; rounding up never shortens the lock that was asked for.
  const retain_until = toInstant(Math.ceil(Date.parse(lock.retain_until) / 1000) * 1000);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { key, bytes, sha256, lock: { mode: lock.mode, retain_until }, putId };
}

/** Two requests: a listing of the versions, and a get of the first locked one. */
async function getObject(context: Context, path: string): Promise<Uint8Array | undefined> {
  const truthId = await findTruth(context, path);
  if (truthId === undefined) return undefined;
  const { stored, bytes } = await readVersion(context.bucket, path, truthId);
  if (stored.lock === undefined) throw withoutLock(path);
  return bytes;
}

/** Undefined where the key never had a version; ARCHIVE_DAMAGED where none of several is locked. */
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
 * carries no lock is listed, and reading it throws ARCHIVE_DAMAGED.
 */
async function* listKeys(context: Context, below: string, after?: string): AsyncGenerator<string> {
  checkPrefix(below);
  let previous = '';
  for await (const found of listBelow(context, below, after)) {
    if (!isKey(found.key)) continue;
    // Recovery takes the last listed bundle as the newest, so a store that lists in another order must be refused.
    if (found.key < previous) {
      throw new PipelineError('ARCHIVE_DAMAGED', `the store lists ${found.key} after ${previous}`);
    }
    previous = found.key;
    if (await hasTruth(context, found)) yield found.key;
  }
}

async function hasTruth({ bucket, prefix, retrying, report }: Context, found: KeyVersions): Promise<boolean> {
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
