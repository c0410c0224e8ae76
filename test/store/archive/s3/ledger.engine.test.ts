import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundleKey } from '../../../../store/chain/layout.ts';
import type { LedgerOptions } from '../../../../store/ledger/options.ts';
import { createRowsProjection } from '../../../../store/projections/rows.ts';
import { openLedger } from '../../../../store/ledger/ledger.ts';
import type { S3Bucket } from '../../../../store/archive/s3/client.ts';
import { appendWhole, createTestLog, testRecord } from '../../../support/ledger.ts';
import { createMemoryRecordStore } from '../../../support/memory-record-store.ts';
import { openTestArchive, openTestBucket, type OpenedS3Archive } from '../../../support/s3-server-archive.ts';
import { verifyInBucket } from '../../../support/s3-server-copy.ts';
import { findEngine, startS3Server, type S3Server } from '../../../support/s3-server.ts';

const BUCKET = 'evidence';
const NEWEST = bundleKey('p0', 3);

const engine = await findEngine('minio');

describe.skipIf(engine.path === undefined)('the ledger on a bucket that others write to', () => {
  let server: S3Server;
  let rival: S3Bucket;
  let opened: OpenedS3Archive;
  let prefix: string;
  let options: LedgerOptions;
  let count = 0;

  beforeAll(async () => {
    server = await startS3Server('minio', engine.path!);
    await server.makeBucket(BUCKET);
    rival = openTestBucket(server, BUCKET);
  });

  afterAll(async () => {
    rival.client.destroy();
    await server.stop();
  });

  const batch = (n: number, size: number) => ({
    records: Array.from({ length: size }, (_, index) => testRecord(n * 100 + index)),
    next_offset: BigInt(n),
    duplicate_count: 0,
  });
  const mark = (key: string) =>
    rival.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}${key}` }));
  const overwrite = (key: string, Body: string) =>
    rival.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${prefix}${key}`, Body }));
  const rootAfterRecovery = async () => {
    const again = openTestArchive(server, { endpoint: server.endpoint, bucket: BUCKET, prefix });
    const ledger = await openLedger({
      ...options,
      archive: again.archive,
      projections: [createRowsProjection(createMemoryRecordStore())],
    });
    const found = [ledger.treeSize(), (await ledger.checkpoint())?.root_hash] as const;
    await again.archive.close();
    return { found, reported: again.tampering.map(([key, { kind }]) => `${key} ${kind}`) };
  };

  beforeEach(async () => {
    prefix = `t${String((count += 1))}/`;
    opened = openTestArchive(server, { endpoint: server.endpoint, bucket: BUCKET, prefix });
    options = await createTestLog({ archive: opened.archive, records: createMemoryRecordStore() });
    return () => opened.archive.close();
  });

  it('recovers the same head behind delete markers and forged versions, and reports each', async () => {
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(1, 3));
    await appendWhole(ledger, batch(2, 2));
    const root = (await ledger.checkpoint())?.root_hash;
    await mark(NEWEST);
    await overwrite(bundleKey('p0', 0), 'forged');
    const { found, reported } = await rootAfterRecovery();
    expect(found).toEqual([5, root]);
    expect(reported.sort()).toEqual([`${bundleKey('p0', 0)} second_version`, `${NEWEST} delete_marker`]);
  });

  it('does not fork where a second sequencer writes over the marker of the newest bundle', async () => {
    const first = await openLedger(options);
    await appendWhole(first, batch(1, 3));
    const late = await openLedger({
      ...options,
      projections: [createRowsProjection(createMemoryRecordStore())],
    });
    await appendWhole(first, batch(2, 2));
    const root = (await first.checkpoint())?.root_hash;
    await mark(NEWEST);
    await expect(late.append(batch(3, 4))).rejects.toMatchObject({ code: 'LEDGER_LOST_RACE' });
    expect((await rootAfterRecovery()).found).toEqual([5, root]);
  });

  it.each([
    ['without lock', {}, 'ARCHIVE_DAMAGED'],
    [
      'with a lock',
      { ObjectLockMode: 'COMPLIANCE' as const, ObjectLockRetainUntilDate: new Date('2033-01-01') },
      'LEDGER_LOST_RACE',
    ],
  ])('stops where somebody took the place of the next bundle, %s', async (_name, lock, code) => {
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(1, 3));
    const taken = { Bucket: BUCKET, Key: `${prefix}${NEWEST}`, Body: 'taken', ...lock };
    await rival.client.send(new PutObjectCommand({ ...taken, ChecksumAlgorithm: 'SHA256' }));
    await expect(ledger.append(batch(2, 2))).rejects.toMatchObject({ code });
    await expect(rootAfterRecovery()).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    const report = await verifyInBucket(rival, prefix);
    expect(report).toMatchObject({ ok: false, integrity: 'broken' });
    expect(report.failures.map(({ index }) => index)).not.toContain(0);
    expect(report.failures).toContainEqual(
      expect.objectContaining({ code: 'bundle_malformed', index: 3 }) as object,
    );
  });
});
