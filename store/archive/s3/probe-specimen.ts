/** The tools of trials on a store: throw-away objects, attempts that may be refused, and reads afterwards. */
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { toInstant, type Clock } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import type { ArchiveLock } from '../../../schemas/archive-lock.ts';
import { describeError, outcomeOf, type S3Bucket } from './client.ts';
import { headVersion, readVersion } from './stored-version.ts';

/** One throw-away prefix of one bucket. */
export interface Trial {
  readonly bucket: S3Bucket;
  readonly prefix: string;
  readonly clock: Clock;
  readonly sleep: (ms: number) => Promise<void>;
  /** How long the objects of this trial are locked. */
  readonly lockMs: number;
}

/** A version that a trial wrote. */
export interface Specimen {
  readonly key: string;
  readonly versionId: string;
  readonly text: string;
  readonly lock: ArchiveLock;
}

/** The outcome of one attempt: done, or the store's answer. */
export type Attempt = { readonly isDone: true } | { readonly isDone: false; readonly answer: string };

/** The observation of one property. */
export interface Observation {
  readonly ok: boolean;
  readonly observed: string;
}

/** Locks are whole seconds; two more than asked, so that a lock is never shorter than the trial assumes. */
function lockFor({ clock, lockMs }: Trial, mode: ArchiveLock['mode'] = 'compliance'): ArchiveLock {
  return { mode, retain_until: toInstant((Math.ceil((clock() + lockMs) / 1000) + 2) * 1000) };
}

/** A put as the archive makes it, without its checks: the trial wants the store's answer. */
export async function putSpecimen(
  { bucket: { client, bucket }, prefix }: Trial,
  name: string,
  options: { readonly text?: string; readonly lock?: ArchiveLock; readonly isCreateOnly?: boolean },
): Promise<string | undefined> {
  const { text = name, lock, isCreateOnly = false } = options;
  const answer = await client.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: `${prefix}${name}`,
      Body: Buffer.from(text),
      ContentLength: Buffer.byteLength(text),
      ChecksumSHA256: createHash('sha256').update(text).digest('base64'),
      ...(isCreateOnly ? { IfNoneMatch: '*' } : {}),
      ...(lock === undefined ? {} : retentionHeaders(lock)),
    }),
  );
  return answer.VersionId;
}

/** A locked object for a trial. Rejects where the store does not take it: then nothing can be tried. */
export async function lockedSpecimen(
  trial: Trial,
  name: string,
  mode: ArchiveLock['mode'] = 'compliance',
): Promise<Specimen> {
  const lock = lockFor(trial, mode);
  const versionId = await putSpecimen(trial, name, { lock });
  if (versionId === undefined) throw new CannotTry('the store gives its objects no versions');
  return { key: `${trial.prefix}${name}`, versionId, text: name, lock };
}

/** Thrown where a trial cannot be made; the finding carries the reason. */
export class CannotTry extends Error {
  override name = 'CannotTry';
}

/** Runs a request that the store may refuse. A store that does not answer at all ends the probe. */
export async function attempt(work: () => Promise<unknown>): Promise<Attempt> {
  try {
    await work();
    return { isDone: true };
  } catch (error) {
    return { isDone: false, answer: refusalOf(error) };
  }
}

/** The store's refusal, for people. Throws ARCHIVE_UNAVAILABLE where the error is not a refusal. */
export function refusalOf(error: unknown): string {
  const outcome = outcomeOf(error);
  if (outcome === 'refused' || outcome === 'exists' || outcome === 'missing') return describeError(error);
  if (outcome === undefined) throw error;
  // A server may answer 501 to a request that it does not know.
  const description = describeError(error);
  if (/^[45]\d\d /.test(description) && !description.startsWith('503 ')) return description;
  throw new PipelineError('ARCHIVE_UNAVAILABLE', `probing: ${description}`, { cause: error });
}

export function describeAttempt(made: Attempt): string {
  return made.isDone ? 'accepted' : `refused with ${made.answer}`;
}

export function deleteVersion(
  { bucket: { client, bucket } }: Trial,
  { key, versionId }: Pick<Specimen, 'key' | 'versionId'>,
  { isBypassing = false }: { readonly isBypassing?: boolean } = {},
): Promise<unknown> {
  const bypass = isBypassing ? { BypassGovernanceRetention: true } : {};
  return client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId, ...bypass }));
}

/** A multi-object delete answers 200 and lists its refusals in the body. */
export async function deleteWithMany(
  { bucket: { client, bucket } }: Trial,
  specimens: readonly Specimen[],
): Promise<string> {
  const Objects = specimens.map(({ key, versionId }) => ({ Key: key, VersionId: versionId }));
  const command = new DeleteObjectsCommand({
    Bucket: bucket,
    Delete: { Objects },
    ChecksumAlgorithm: 'SHA256',
  });
  const { Errors = [] } = await client.send(command);
  const codes = [...new Set(Errors.map(({ Code }) => Code ?? 'unknown'))];
  return `${String(Errors.length)} of ${String(specimens.length)} refused ${codes.join(', ')}`.trim();
}

export function changeRetention(
  { bucket: { client, bucket } }: Trial,
  { key, versionId }: Specimen,
  { lock, isBypassing }: { readonly lock: ArchiveLock; readonly isBypassing: boolean },
): Promise<unknown> {
  const { ObjectLockMode: Mode, ObjectLockRetainUntilDate: RetainUntilDate } = retentionHeaders(lock);
  return client.send(
    new PutObjectRetentionCommand({
      Bucket: bucket,
      Key: key,
      VersionId: versionId,
      Retention: { Mode, RetainUntilDate },
      ...(isBypassing ? { BypassGovernanceRetention: true } : {}),
    }),
  );
}

/** Whether the version can still be read, with the bytes it was written with. */
export async function isStillRead({ bucket }: Trial, { key, versionId, text }: Specimen): Promise<boolean> {
  try {
    return (await readVersion(bucket, key, versionId)).bytes.equals(Buffer.from(text));
  } catch (error) {
    if (error instanceof PipelineError && error.code === 'ARCHIVE_DAMAGED') return false;
    refusalOf(error);
    return false;
  }
}

/** Whether the version still has at least the lock it was written with. */
export async function isStillLocked({ bucket }: Trial, specimen: Specimen): Promise<boolean> {
  const { lock } = await headVersion(bucket, specimen.key, specimen.versionId);
  if (lock?.mode !== specimen.lock.mode) return false;
  return Date.parse(lock.retain_until) >= Date.parse(specimen.lock.retain_until);
}

function retentionHeaders({ mode, retain_until }: ArchiveLock) {
  return {
    ObjectLockMode: mode === 'compliance' ? ('COMPLIANCE' as const) : ('GOVERNANCE' as const),
    ObjectLockRetainUntilDate: new Date(retain_until),
  };
}
