/** One version of one object: the store's description, its bytes, and which version of a key is the truth. */
import {
  GetObjectCommand,
  HeadObjectCommand,
  type GetObjectCommandOutput,
  type HeadObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { PipelineError } from '../../../schemas/errors.ts';
import type { ArchiveLock } from '../../../schemas/archive-lock.ts';
import type { S3Bucket } from './client.ts';
import { IN_TRANSIT } from './retry.ts';
import type { KeyVersions } from './versions.ts';

/** The description that the store keeps beside the bytes of a version. */
export interface StoredVersion {
  readonly versionId: string;
  readonly sizeBytes: number;
  /** A lock that has run out counts. Undefined: no lock, so this program did not write the version. */
  readonly lock: ArchiveLock | undefined;
  /** SHA-256 in base64 as the store computed it. For a multipart object over the digests of its parts, then `-<parts>`. */
  readonly checksum: string | undefined;
  /** SHA-256 of the bytes in hex, as the writer named it. */
  readonly sha256: string | undefined;
  /** Id of the put that wrote the version. */
  readonly putId: string | undefined;
  /** The lock it was written under. `lock` may be stronger by now, and never weaker. */
  readonly writtenUnder: ArchiveLock | undefined;
}

/** A version or marker was added to a key that was written already. The key still reads as its first locked version. */
export interface Tampering {
  readonly kind: 'second_version' | 'delete_marker' | 'lock_missing';
  /** The version that is read; undefined where none is. */
  readonly truthVersionId: string | undefined;
  /** The versions or markers that were added. */
  readonly otherVersionIds: readonly string[];
}

/** Names of the members of user metadata, which belongs to its version and cannot be changed. */
export const METADATA = {
  sha256: 'sha256',
  putId: 'put-id',
  lockMode: 'lock-mode',
  retainUntil: 'retain-until',
} as const;

export async function headVersion(
  { client, bucket }: S3Bucket,
  key: string,
  versionId: string,
): Promise<StoredVersion> {
  const command = new HeadObjectCommand({
    Bucket: bucket,
    Key: key,
    VersionId: versionId,
    ChecksumMode: 'ENABLED',
  });
  return toStoredVersion(versionId, await client.send(command));
}

/** A version with its bytes. */
interface ReadVersion {
  readonly stored: StoredVersion;
  readonly bytes: Buffer;
}

/** A version with its bytes. Throws ARCHIVE_DAMAGED where the bytes do not match its digests and size. */
export async function readVersion(bucket: S3Bucket, key: string, versionId: string): Promise<ReadVersion> {
  const read = await getVersion(bucket, key, { VersionId: versionId, ChecksumMode: 'ENABLED' });
  if (!isWhatWasWritten(read.stored, read.bytes)) throw damaged(key);
  return read;
}

/** Unchecked read, for the verifier, which judges the bytes itself. Does not ask for the store's checksum. */
export function fetchVersion(bucket: S3Bucket, key: string, versionId: string): Promise<ReadVersion> {
  return getVersion(bucket, key, { VersionId: versionId });
}

async function getVersion(
  { client, bucket }: S3Bucket,
  key: string,
  which: { readonly VersionId: string; readonly ChecksumMode?: 'ENABLED' },
): Promise<ReadVersion> {
  const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...which }));
  const bytes = Buffer.from(await bodyOf(key, answer));
  return { stored: toStoredVersion(which.VersionId, answer), bytes };
}

/** The SDK checks the store's checksum while it reads, and throws a plain Error where it differs. */
async function bodyOf(key: string, { Body }: GetObjectCommandOutput): Promise<Uint8Array> {
  try {
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Checksum mismatch')) throw damaged(key);
    throw error;
  }
}

export function damaged(key: string): PipelineError {
  const detail = `${key} does not read as written`;
  return new PipelineError('ARCHIVE_DAMAGED', detail, { place: key, cause: IN_TRANSIT });
}

/**
 * The oldest version that carries a lock, and all others as tampering. Makes no request where the key has one version:
 * reading it shows its lock.
 */
export async function judgeVersions(
  bucket: S3Bucket,
  { key, versions, deleteMarkers }: KeyVersions,
): Promise<{ readonly truthId: string | undefined; readonly tampering: readonly Tampering[] }> {
  const isAlone = versions.length === 1 && deleteMarkers.length === 0;
  const truthId = isAlone ? versions[0]?.versionId : await oldestLocked(bucket, key, versions);
  const tampering: Tampering[] = [];
  const note = (kind: Tampering['kind'], otherVersionIds: readonly string[]) => {
    if (otherVersionIds.length > 0) tampering.push({ kind, truthVersionId: truthId, otherVersionIds });
  };
  const others = versions.map(({ versionId }) => versionId).filter((id) => id !== truthId);
  note(truthId === undefined ? 'lock_missing' : 'second_version', others);
  note(
    'delete_marker',
    deleteMarkers.map(({ versionId }) => versionId),
  );
  return { truthId, tampering };
}

async function oldestLocked(
  bucket: S3Bucket,
  key: string,
  versions: KeyVersions['versions'],
): Promise<string | undefined> {
  for (const { versionId } of versions) {
    if ((await headVersion(bucket, key, versionId)).lock !== undefined) return versionId;
  }
  return undefined;
}

function toStoredVersion(
  versionId: string,
  answer: HeadObjectCommandOutput | GetObjectCommandOutput,
): StoredVersion {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until, Metadata } = answer;
  const isLocked = (mode === 'COMPLIANCE' || mode === 'GOVERNANCE') && until !== undefined;
  return {
    versionId,
    sizeBytes: answer.ContentLength ?? 0,
    lock: isLocked
      ? { mode: mode === 'COMPLIANCE' ? 'compliance' : 'governance', retain_until: until.toISOString() }
      : undefined,
    checksum: answer.ChecksumSHA256,
    sha256: Metadata?.[METADATA.sha256],
    putId: Metadata?.[METADATA.putId],
    writtenUnder: toLock(Metadata?.[METADATA.lockMode], Metadata?.[METADATA.retainUntil]),
  };
}

function toLock(mode: string | undefined, retain_until: string | undefined): ArchiveLock | undefined {
  if (mode !== 'compliance' && mode !== 'governance') return undefined;
  if (retain_until === undefined || Number.isNaN(Date.parse(retain_until))) return undefined;
  return { mode, retain_until };
}

/** Both digests must match where both are known. Bytes without any digest are refused. */
function isWhatWasWritten({ sizeBytes, checksum, sha256 }: StoredVersion, bytes: Buffer): boolean {
  const digest = createHash('sha256').update(bytes).digest();
  const isWhole = checksum !== undefined && !checksum.includes('-');
  if (sizeBytes !== bytes.length || (!isWhole && sha256 === undefined)) return false;
  const fitsStore = !isWhole || digest.toString('base64') === checksum;
  return fitsStore && (sha256 === undefined || digest.toString('hex') === sha256);
}
