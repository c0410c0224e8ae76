import { PutObjectCommand } from '@aws-sdk/client-s3';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArchiveLock } from '../../../../schemas/archive-lock.ts';
import { bundleKey, checkpointKey, genesisKey, payloadKey } from '../../../../store/chain/layout.ts';
import { verifyArchive } from '../../../../store/verify/verify-archive.ts';
import type { S3Bucket } from '../../../../store/archive/s3/client.ts';
import {
  removeObject,
  replaceObject,
  rewriteFrom,
  writeTestArchive,
  type TestArchive,
} from '../../../support/archive-folder.ts';
import { openTestBucket } from '../../../support/s3-server-archive.ts';
import { copyToBucket, verifyInBucket } from '../../../support/s3-server-copy.ts';
import { findEngine, startS3Server, type S3Server } from '../../../support/s3-server.ts';

const BUCKET = 'evidence';
const GOVERNANCE: ArchiveLock = { mode: 'governance', retain_until: '2033-01-01T00:00:00.000Z' };
/** Bundles at 0, 3, 7 and 8. */
const SIZES = [3, 4, 1, 8];
const BUNDLE = bundleKey('p0', 3);

const engine = await findEngine('minio');
const other = await findEngine('versitygw');

describe.skipIf(engine.path === undefined)('verification of one archive in a folder and in a bucket', () => {
  let server: S3Server;
  let bucket: S3Bucket;
  let count = 0;
  beforeAll(async () => {
    server = await startS3Server('minio', engine.path!);
    await server.makeBucket(BUCKET);
    bucket = openTestBucket(server, BUCKET);
  });
  afterAll(async () => {
    bucket.client.destroy();
    await server.stop();
  });

  it.each<[string, (archive: TestArchive) => Promise<void>, string | undefined]>([
    ['that was rewritten from an index on', (own) => rewriteFrom(own, SIZES, 7), 'checkpoint_root_mismatch'],
    ['without a bundle in its middle', ({ dir }) => removeObject(dir, BUNDLE), 'bundle_missing'],
    ['without its genesis', ({ dir }) => removeObject(dir, genesisKey('p0')), 'genesis_malformed'],
    ['without a checkpoint', ({ dir }) => removeObject(dir, checkpointKey('p0', 7)), 'checkpoint_missing'],
    [
      'whose newest bundle is not signed yet',
      ({ dir }) => removeObject(dir, checkpointKey('p0', 16)),
      undefined,
    ],
    [
      'whose bundle was replaced by another',
      async ({ dir }) => replaceObject(dir, BUNDLE, await readFile(join(dir, bundleKey('p0', 0)))),
      'bundle_misplaced',
    ],
    [
      'with what an interrupted writer left',
      async ({ options: { archive } }) => {
        const key = payloadKey('p0', 16, '0123456789abcdef'.repeat(4));
        await archive.put(key, Buffer.from('left'), GOVERNANCE);
      },
      undefined,
    ],
  ])('gives the same report on an archive %s', async (_name, change, code) => {
    const prefix = `t${String((count += 1))}/`;
    const own = await writeTestArchive(SIZES);
    await change(own);
    const report = await verifyArchive({ dir: own.dir });
    expect(report.failures.map((failure) => failure.code).includes(code as never)).toBe(code !== undefined);
    expect(report.ok).toBe(code === undefined);
    await copyToBucket(server, own.dir, { bucket: BUCKET, prefix, lock: GOVERNANCE });
    // A folder has lock files besides, which are left where the object of their checkpoint was not looked at.
    const notices = report.notices.filter(({ detail }) => !detail.includes('.lock '));
    expect(await verifyInBucket(bucket, prefix)).toEqual({ ...report, notices });
    await own.dispose();
  });
});

describe.skipIf(other.path === undefined)('verification of an archive on versitygw', () => {
  it('gives the same report as that of the same archive in a folder, and sees a second version', async () => {
    const server = await startS3Server('versitygw', other.path!);
    const folder = await writeTestArchive(SIZES);
    try {
      await server.makeBucket(BUCKET);
      await copyToBucket(server, folder.dir, { bucket: BUCKET, prefix: 'archive/', lock: GOVERNANCE });
      const bucket = openTestBucket(server, BUCKET);
      const whole = await verifyArchive({ dir: folder.dir });
      expect(await verifyInBucket(bucket, 'archive/')).toEqual(whole);
      const put = new PutObjectCommand({ Bucket: BUCKET, Key: `archive/${BUNDLE}`, Body: 'forged' });
      await bucket.client.send(put);
      const report = await verifyInBucket(bucket, 'archive/');
      expect(report).toMatchObject({ ok: false, tree_size: 16, root_hash: whole.root_hash });
      expect(report.failures[0]).toMatchObject({ code: 'version_added', index: 3 });
      bucket.client.destroy();
    } finally {
      await server.stop();
      await folder.dispose();
    }
  });
});
