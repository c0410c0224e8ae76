import {
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { VerificationReport } from '../../../../schemas/verification.ts';
import type { ArchiveLock } from '../../../../schemas/archive-lock.ts';
import { bundleKey, checkpointKey, genesisKey, payloadKey } from '../../../../store/chain/layout.ts';
import { verifyArchive } from '../../../../store/verify/verify-archive.ts';
import { openLedger } from '../../../../store/ledger/ledger.ts';
import { openBucket, type S3Bucket } from '../../../../store/archive/s3/client.ts';
import { versionsOf } from '../../../../store/archive/s3/versions.ts';
import { writeTestArchive, type TestArchive } from '../../../support/archive-folder.ts';
import { appendWhole, createTestLog, createTestSigner, testRecord } from '../../../support/ledger.ts';
import { createMemoryRecordStore } from '../../../support/memory-record-store.ts';
import { openTestArchive, openTestBucket } from '../../../support/s3-server-archive.ts';
import { copyToBucket, verifyInBucket } from '../../../support/s3-server-copy.ts';
import { startS3Proxy, type S3Proxy } from '../../../support/s3-server-proxy.ts';
import { findEngine, REGION, startS3Server, type S3Server } from '../../../support/s3-server.ts';

const BUCKET = 'evidence';
const UNTIL = '2033-01-01T00:00:00.000Z';
const GOVERNANCE: ArchiveLock = { mode: 'governance', retain_until: UNTIL };
const ONCE = {
  limits: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 },
  random: () => 0,
  sleep: () => Promise.resolve(),
};
/** Bundles at 0, 3, 7 and 8. */
const SIZES = [3, 4, 1, 8];
const BUNDLE = bundleKey('p0', 3);

const engine = await findEngine('minio');

describe.skipIf(engine.path === undefined)('verification of an archive in a bucket', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  let rival: S3Bucket;
  let proxied: S3Bucket;
  let folder: TestArchive;
  let whole: VerificationReport;
  let payload: string;
  let prefix: string;
  let count = 0;

  beforeAll(async () => {
    server = await startS3Server('minio', engine.path!);
    await server.makeBucket(BUCKET);
    proxy = await startS3Proxy(server.port);
    rival = openTestBucket(server, BUCKET);
    const { credentials } = server;
    proxied = openBucket({ endpoint: proxy.endpoint, region: REGION, bucket: BUCKET, credentials });
    folder = await writeTestArchive(SIZES);
    whole = await verifyArchive({ dir: folder.dir });
    const listed = [];
    for await (const key of folder.options.archive.list('log/p0/payload/')) listed.push(key);
    payload = listed[1]!;
  });
  afterAll(async () => {
    rival.client.destroy();
    proxied.client.destroy();
    await proxy.close();
    await server.stop();
    await folder.dispose();
  });
  beforeEach(async () => {
    proxy.reset();
    prefix = `t${String((count += 1))}/`;
    await copyToBucket(server, folder.dir, { bucket: BUCKET, prefix, lock: GOVERNANCE });
  });

  const at = (key: string) => ({ Bucket: BUCKET, Key: `${prefix}${key}` });
  const locked = {
    ObjectLockMode: 'COMPLIANCE' as const,
    ObjectLockRetainUntilDate: new Date(UNTIL),
    ChecksumAlgorithm: 'SHA256' as const,
  };
  const put = async (key: string, Body: string | Uint8Array, isLocked = true) =>
    (await rival.client.send(new PutObjectCommand({ ...at(key), Body, ...(isLocked ? locked : {}) })))
      .VersionId!;
  const mark = async (key: string) => (await rival.client.send(new DeleteObjectCommand(at(key)))).VersionId!;
  const truthOf = async (key: string) =>
    (await versionsOf(rival, ONCE, `${prefix}${key}`))!.versions[0]!.versionId;
  const destroy = async (key: string) => {
    const VersionId = await truthOf(key);
    await rival.client.send(
      new DeleteObjectCommand({ ...at(key), VersionId, BypassGovernanceRetention: true }),
    );
  };
  const relock = async (key: string, Retention: object) => {
    const VersionId = await truthOf(key);
    const command = { ...at(key), VersionId, Retention, BypassGovernanceRetention: true };
    await rival.client.send(new PutObjectRetentionCommand(command));
  };
  const verify = () => verifyInBucket(rival, prefix);
  const found = ({ failures }: VerificationReport) => failures.map(({ code, index }) => [code, index]);

  it('gives the same report as that of the same archive in a folder', async () => {
    expect(whole).toMatchObject({ ok: true, tree_size: 16, signed_tree_size: 16 });
    expect(await verify()).toEqual(whole);
    const pin = { pinnedVkeys: [folder.options.signer.vkey] };
    expect(await verifyInBucket(rival, prefix, pin)).toEqual(
      await verifyArchive({ dir: folder.dir, ...pin }),
    );
    const other = { pinnedVkeys: [createTestSigner().vkey] };
    expect(await verifyInBucket(rival, prefix, other)).toEqual(
      await verifyArchive({ dir: folder.dir, ...other }),
    );
  });

  it('accepts what the ledger itself wrote into the bucket, and what it has not signed yet', async () => {
    const own = `${prefix}own/`;
    const { archive } = openTestArchive(server, { endpoint: server.endpoint, bucket: BUCKET, prefix: own });
    const options = await createTestLog({ archive, records: createMemoryRecordStore() });
    const ledger = await openLedger(options);
    const records = [testRecord(1), testRecord(2)];
    await appendWhole(ledger, { records, next_offset: 1n, duplicate_count: 0 });
    expect(await verifyInBucket(rival, own)).toMatchObject({ ok: true, tree_size: 2, signed_tree_size: 2 });
    await archive.close();
  });

  it('compares with a checkpoint that was kept', async () => {
    const note = await readFile(join(folder.dir, checkpointKey('p0', 7)), 'utf8');
    const keptCheckpoints = [{ name: 'kept', note }];
    expect(await verifyInBucket(rival, prefix, { keptCheckpoints })).toEqual(whole);
    await destroy(bundleKey('p0', 8));
    await destroy(checkpointKey('p0', 16));
    const newer = await readFile(join(folder.dir, checkpointKey('p0', 16)), 'utf8');
    const cut = await verifyInBucket(rival, prefix, { keptCheckpoints: [{ name: 'newer', note: newer }] });
    expect(found(cut)).toContainEqual(['log_truncated', 8]);
  });

  it('says that there is nothing where there is no log, and names the bundles as it reads', async () => {
    const nothing = await verifyInBucket(rival, 'nowhere/');
    expect(nothing).toMatchObject({ ok: false, tree_size: null });
    expect(nothing.failures).toMatchObject([
      { code: 'nothing_to_verify', detail: 'there is no log below this prefix' },
    ]);
    const seen: number[] = [];
    await verifyInBucket(rival, prefix, { onProgress: ({ done }) => seen.push(done) });
    expect(seen).toEqual([3, 7, 8, 16]);
  });

  describe('names what was done to the versions of a key, and verifies the first locked one', () => {
    it.each([
      ['a bundle', BUNDLE, 3],
      ['a payload object', () => payload, 3],
      ['a checkpoint', checkpointKey('p0', 7), null],
      ['the genesis', genesisKey('p0'), null],
    ] as const)('a delete marker over %s', async (_name, which, index) => {
      const key = typeof which === 'string' ? which : which();
      const marker = await mark(key);
      const truth = await truthOf(key);
      const report = await verify();
      expect(report).toEqual({
        ...whole,
        ok: false,
        integrity: 'broken',
        failures: [
          {
            code: 'delete_marker_added',
            index,
            detail: `${key}: ${marker} over ${truth}, which was verified`,
          },
        ],
      });
    });

    it('a second version with a lock of its own', async () => {
      const truth = await truthOf(BUNDLE);
      const forged = await put(BUNDLE, 'forged');
      expect((await verify()).failures).toEqual([
        {
          code: 'version_added',
          index: 3,
          detail: `${BUNDLE}: ${forged} beside ${truth}, which was verified`,
        },
      ]);
    });

    it('a second version without a lock', async () => {
      const forged = await put(payload, 'forged', false);
      const report = await verify();
      expect(found(report)).toEqual([
        ['version_added', 3],
        ['version_unlocked', 3],
      ]);
      expect(report.failures[1]?.detail).toBe(`${payload}: ${forged} without lock`);
      expect(report).toMatchObject({ tree_size: 16, root_hash: whole.root_hash, anchoring: 'signed' });
    });

    it('a marker and a version put over it, the same bytes again too', async () => {
      await mark(BUNDLE);
      await put(BUNDLE, await readFile(join(folder.dir, BUNDLE)));
      expect(found(await verify())).toEqual([
        ['version_added', 3],
        ['delete_marker_added', 3],
      ]);
    });

    it('more versions than are named, with their number', async () => {
      for (let n = 0; n < 5; n += 1) await put(BUNDLE, `forged ${String(n)}`);
      const report = await verify();
      expect(found(report)).toEqual([['version_added', 3]]);
      expect(report.failures[0]?.detail).toContain(' and 2 more beside ');
    });

    it('a marker over a key that never was one, and an object where the format has none', async () => {
      const VersionId = await put(bundleKey('p0', 99), 'mislaid', false);
      const marker = await mark(bundleKey('p0', 99));
      await rival.client.send(new DeleteObjectCommand({ ...at(bundleKey('p0', 99)), VersionId }));
      await put('log/p0/notes.txt', 'hello');
      await put('log/', '');
      await put('', '');
      await put('.affidavit-probe/1/lock', 'left by a probe');
      await mark('elsewhere');
      const report = await verify();
      expect(found(report)).toEqual([
        ['delete_marker_added', 99],
        ['file_unexpected', null],
        ['file_unexpected', null],
        ['file_unexpected', null],
      ]);
      expect(report.failures[0]?.detail).toBe(`${bundleKey('p0', 99)}: ${marker} and no version`);
      const unexpected = report.failures.slice(1).map(({ detail }) => detail);
      expect(unexpected).toEqual([prefix, 'log/', 'log/p0/notes.txt']);
      expect(report).toMatchObject({ tree_size: 16, root_hash: whole.root_hash });
    });

    it('an object of a stranger without lock, behind the end of the log', async () => {
      const key = payloadKey('p0', 16, '0123456789abcdef'.repeat(4));
      const version = await put(key, 'early', false);
      const report = await verify();
      expect(report.failures).toEqual([
        { code: 'lock_damaged', index: 16, detail: key },
        { code: 'version_unlocked', index: 16, detail: `${key}: ${version} without lock` },
      ]);
      expect(report.notices).toMatchObject([{ code: 'leftover' }]);
    });
  });

  describe('holds locks against what each object was written under', () => {
    it('a lock that was shortened with special rights', async () => {
      await relock(BUNDLE, { Mode: 'GOVERNANCE', RetainUntilDate: new Date('2032-01-01T00:00:00.000Z') });
      expect((await verify()).failures).toEqual([
        {
          code: 'lock_weakened',
          index: 3,
          detail: `${BUNDLE} was written under governance until ${UNTIL} and is under governance until 2032-01-01T00:00:00.000Z`,
        },
      ]);
    });

    it('a lock that was lifted', async () => {
      await relock(payload, {});
      expect(found(await verify())).toEqual([['version_unlocked', 3]]);
    });

    it('accepts one that was made stricter and longer', async () => {
      const retain_until = '2034-01-01T00:00:00.000Z';
      await relock(BUNDLE, { Mode: 'GOVERNANCE', RetainUntilDate: new Date(retain_until) });
      await relock(payload, { Mode: 'COMPLIANCE', RetainUntilDate: new Date(retain_until) });
      expect(await verify()).toEqual(whole);
    });

    it.each([
      ['with which bytes it was written', {}],
      ['under which lock it was written', { sha256: '' }],
    ])('an object that does not say %s', async (_name, said) => {
      const bytes = await readFile(join(folder.dir, BUNDLE));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const Metadata = 'sha256' in said ? { sha256 } : {};
      await destroy(BUNDLE);
      await rival.client.send(new PutObjectCommand({ ...at(BUNDLE), Body: bytes, Metadata, ...locked }));
      expect(await verify()).toMatchObject({
        tree_size: 16,
        failures: [{ code: 'lock_damaged', index: 3, detail: BUNDLE }],
      });
    });

    it('an object that was deleted with special rights, and one put in its place', async () => {
      await destroy(payload);
      expect(found(await verify())).toEqual([['payload_missing', 3]]);
      await destroy(BUNDLE);
      await put(BUNDLE, 'forged');
      const codes = found(await verify());
      expect(codes).toContainEqual(['bundle_malformed', 3]);
      expect(codes).toContainEqual(['lock_damaged', 3]);
    });
  });

  describe('cannot show from the bucket alone', () => {
    it('that the end was cut off with special rights, which a kept checkpoint shows', async () => {
      const note = await readFile(join(folder.dir, checkpointKey('p0', 16)), 'utf8');
      const beyond = /bundle\/[0-9/]+\/0{19}8$|payload\/[0-9/]+\/0{19}8-|checkpoint\/[0-9/]+\/0{18}16$/;
      for await (const key of folder.options.archive.list('')) if (beyond.test(key)) await destroy(key);
      expect(await verify()).toMatchObject({ ok: true, tree_size: 8, signed_tree_size: 8 });
      const report = await verifyInBucket(rival, prefix, { keptCheckpoints: [{ name: 'kept', note }] });
      expect(found(report)).toEqual([['log_truncated', 8]]);
    });

    it('that a lock was lifted and given back, or a marker set and removed', async () => {
      await relock(BUNDLE, {});
      await relock(BUNDLE, { Mode: 'GOVERNANCE', RetainUntilDate: new Date(UNTIL) });
      const VersionId = await mark(payload);
      await rival.client.send(new DeleteObjectCommand({ ...at(payload), VersionId }));
      expect(await verify()).toEqual(whole);
    });
  });

  it('shows what a stranger without any credentials wrote where the bucket lets everybody write', async () => {
    const Statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:PutObject', 's3:DeleteObject'],
      Resource: [`arn:aws:s3:::${BUCKET}/*`],
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [Statement] });
    await rival.client.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy }));
    const url = (key: string) => `${server.endpoint}/${BUCKET}/${prefix}${key}`;
    expect((await fetch(url(BUNDLE), { method: 'PUT', body: 'forged' })).status).toBe(200);
    expect((await fetch(url(checkpointKey('p0', 16)), { method: 'DELETE' })).status).toBe(204);
    const report = await verify();
    await rival.client.send(new DeleteBucketPolicyCommand({ Bucket: BUCKET }));
    expect(found(report)).toEqual([
      ['version_added', 3],
      ['version_unlocked', 3],
      ['delete_marker_added', null],
    ]);
    expect(report).toMatchObject({ tree_size: 16, root_hash: whole.root_hash, signed_tree_size: 16 });
  });

  describe('through a connection that fails', () => {
    const verifyProxied = () => verifyInBucket(proxied, prefix);

    it('reads again what came damaged once, and names what comes damaged each time', async () => {
      proxy.arm({ method: 'GET', url: `/${BUNDLE}?`, how: 'flip-body', times: 2 });
      proxy.arm({ method: 'GET', url: `/${payload}?`, how: 'cut-body', times: 1 });
      proxy.arm({ method: 'GET', url: checkpointKey('p0', 16), how: 503, times: 1 });
      expect(await verifyProxied()).toEqual(whole);
      proxy.arm({ method: 'GET', url: `/${BUNDLE}?`, how: 'flip-body' });
      expect(found(await verifyProxied())).toContainEqual(['object_damaged', 3]);
    });

    it('asks for each object once, and for its version', async () => {
      await verifyProxied();
      const reads = proxy.requests.filter((line) => line.includes('versionId='));
      const keys = reads.map((line) => /GET \/evidence\/(.*)\?/.exec(line)?.[1]);
      expect(new Set(keys).size).toBe(keys.length);
      expect(proxy.requests.filter((line) => !/^(GET|HEAD) /.test(line))).toEqual([]);
    });

    it('rejects where objects cannot be read, for that says nothing about them', async () => {
      proxy.arm({ method: 'GET', url: `/${BUNDLE}?`, how: 403 });
      await expect(verifyProxied()).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
    });

    it('rejects where locks may not be seen, and takes nothing for unlocked', async () => {
      proxy.changeHeaders((headers) => {
        for (const name of Object.keys(headers)) {
          if (name.startsWith('x-amz-object-lock-')) Reflect.deleteProperty(headers, name);
        }
      });
      proxy.arm({ method: 'GET', url: 'retention', how: 403 });
      await expect(verifyProxied()).rejects.toMatchObject({
        code: 'ARCHIVE_UNAVAILABLE',
        detail: expect.stringContaining('grant s3:GetObjectRetention') as string,
      });
    });
  });
});
