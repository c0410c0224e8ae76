/** Writes one version: create-only, locked from its first moment, with a digest that the store checks. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { PipelineError } from '../../../schemas/errors.ts';
import type { ArchiveLock } from '../../../schemas/archive-lock.ts';
import type { S3Bucket } from './client.ts';
import { withRetries, type Retrying } from './retry.ts';
import { METADATA } from './stored-version.ts';

export interface MultipartLimits {
  /** Objects of more bytes than this are sent in parts. */
  readonly thresholdBytes: number;
  /** At least 5 MiB, which S3 demands of all parts but the last. */
  readonly partBytes: number;
}

/** Objects up to this size are sent in one request, larger objects in parts of this size. */
export const MULTIPART_LIMITS: MultipartLimits = {
  thresholdBytes: 16 * 1024 * 1024,
  partBytes: 16 * 1024 * 1024,
};

/** One object to write: everything that stays the same in each attempt. */
export interface WantedVersion {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** In hex. */
  readonly sha256: string;
  readonly lock: ArchiveLock;
  readonly putId: string;
}

interface Part {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly checksum: string;
}

/** The checksum that the store must report for these bytes, see StoredVersion. */
export function expectedChecksum({ bytes, sha256 }: WantedVersion, limits: MultipartLimits): string {
  if (bytes.length <= limits.thresholdBytes) return Buffer.from(sha256, 'hex').toString('base64');
  const parts = partsOf(bytes, limits);
  const digests = parts.map(({ checksum }) => Buffer.from(checksum, 'base64'));
  return `${checksumOf(Buffer.concat(digests))}-${String(parts.length)}`;
}

/**
 * Resolves the id of the new version. Rejects with the store's answer, and the version may have been written even so. A
 * put in parts costs two requests more than it has parts, and is not visible before the last one.
 */
export async function writeVersion(
  bucket: S3Bucket,
  wanted: WantedVersion,
  { multipart, retrying }: { readonly multipart: MultipartLimits; readonly retrying: Retrying },
): Promise<string> {
  const versionId =
    wanted.bytes.length <= multipart.thresholdBytes
      ? await putWhole(bucket, wanted)
      : await putParts(bucket, wanted, { multipart, retrying });
  if (versionId !== undefined) return versionId;
  throw new PipelineError(
    'ARCHIVE_DAMAGED',
    `${wanted.key} was stored without a version, so no lock can hold it`,
  );
}

async function putWhole({ client, bucket }: S3Bucket, wanted: WantedVersion): Promise<string | undefined> {
  const answer = await client.send(
    new PutObjectCommand({
      ...identityOf(bucket, wanted),
      Body: wanted.bytes,
      ContentLength: wanted.bytes.length,
      ChecksumSHA256: Buffer.from(wanted.sha256, 'hex').toString('base64'),
      IfNoneMatch: '*',
    }),
  );
  return answer.VersionId;
}

async function putParts(
  { client, bucket }: S3Bucket,
  wanted: WantedVersion,
  { multipart, retrying }: { readonly multipart: MultipartLimits; readonly retrying: Retrying },
): Promise<string | undefined> {
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...identityOf(bucket, wanted), ChecksumAlgorithm: 'SHA256' }),
  );
  const upload = { Bucket: bucket, Key: wanted.key, UploadId };
  try {
    const Parts = [];
    for (const { number, bytes, checksum } of partsOf(wanted.bytes, multipart)) {
      const part = { ...upload, PartNumber: number, Body: bytes, ContentLength: bytes.length };
      const { ETag } = await withRetries(retrying, `putting part ${String(number)} of ${wanted.key}`, () =>
        client.send(new UploadPartCommand({ ...part, ChecksumSHA256: checksum })),
      );
      Parts.push({ ETag, PartNumber: number, ChecksumSHA256: checksum });
    }
    const finish = { ...upload, MultipartUpload: { Parts }, IfNoneMatch: '*' };
    return (await client.send(new CompleteMultipartUploadCommand(finish))).VersionId;
  } catch (error) {
    // Unfinished parts cost space and are not an object. A lifecycle rule removes those that this request cannot.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

function identityOf(bucket: string, { key, sha256, lock, putId }: WantedVersion) {
  return {
    Bucket: bucket,
    Key: key,
    Metadata: {
      [METADATA.sha256]: sha256,
      [METADATA.putId]: putId,
      [METADATA.lockMode]: lock.mode,
      [METADATA.retainUntil]: lock.retain_until,
    },
    ObjectLockMode: lock.mode === 'compliance' ? ('COMPLIANCE' as const) : ('GOVERNANCE' as const),
    ObjectLockRetainUntilDate: new Date(lock.retain_until),
  };
}

function partsOf(bytes: Uint8Array, { partBytes }: MultipartLimits): Part[] {
  return Array.from({ length: Math.ceil(bytes.length / partBytes) }, (_, index) => {
    const part = bytes.subarray(index * partBytes, (index + 1) * partBytes);
    return { number: index + 1, bytes: part, checksum: checksumOf(part) };
  });
}

function checksumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}
