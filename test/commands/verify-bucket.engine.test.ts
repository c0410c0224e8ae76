import {
  CopyObjectCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContext } from '../../app/context.ts';
import { openArchive } from '../../app/engines.ts';
import { loadConfig } from '../../config.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import type { S3Bucket } from '../../store/archive/s3/client.ts';
import { versionsOf } from '../../store/archive/s3/versions.ts';
import { writeTestArchive, type TestArchive } from '../support/archive-folder.ts';
import { appendWhole, createTestLog, createTestSigner, testRecord } from '../support/ledger.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { openTestBucket } from '../support/s3-server-archive.ts';
import { copyToBucket } from '../support/s3-server-copy.ts';
import { findEngine, startS3Server, type S3Server } from '../support/s3-server.ts';
import { ADMIN_TOKEN, makeTempDir, post, runAffidavit, startServer } from '../support/server.ts';

const BUCKET = 'evidence';
const UNTIL = '2033-01-01T00:00:00.000Z';
const COMPLIANCE: ArchiveLock = { mode: 'compliance', retain_until: UNTIL };
const BUNDLE = bundleKey('p0', 0);
const ONCE = {
  limits: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 },
  random: () => 0,
  sleep: () => Promise.resolve(),
};

const engine = await findEngine('minio');

describe.skipIf(engine.path === undefined)('affidavit verify --s3', () => {
  let server: S3Server;
  let bucket: S3Bucket;
  let folder: TestArchive;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await startS3Server('minio', engine.path!);
    await server.makeBucket(BUCKET);
    bucket = openTestBucket(server, BUCKET);
    env = {
      AFFIDAVIT_S3_ENDPOINT: server.endpoint,
      AFFIDAVIT_S3_BUCKET: BUCKET,
      AFFIDAVIT_S3_PREFIX: 'archive/',
      AFFIDAVIT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AFFIDAVIT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    };
    folder = await writeTestArchive([3, 4]);
    for (const prefix of ['archive/', 'copy/']) {
      await copyToBucket(server, folder.dir, { bucket: BUCKET, prefix, lock: COMPLIANCE });
    }
  });
  afterAll(async () => {
    bucket.client.destroy();
    await server.stop();
    await folder.dispose();
  });

  const verify = (...args: string[]) => runAffidavit(['verify', '--s3', ...args], env);
  const reportOf = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as VerificationReport;

  it('prints for a bucket the JSON that it prints for a folder, whichever way the bucket is named', async () => {
    const local = await runAffidavit(['verify', folder.dir, '--json']);
    expect(reportOf(local)).toMatchObject({ ok: true, kind: 'archive', tree_size: 7 });
    for (const path of [[], ['copy/'], [BUCKET], [`s3://${BUCKET}/copy/`]]) {
      const { code, stdout } = await verify(...path, '--json');
      expect(stdout, path.join()).toBe(local.stdout);
      expect(code).toBe(0);
    }
  });

  it('verifies what a server sealed into its bucket, the record of its own probe among it', async () => {
    const data = await makeTempDir();
    const own = { ...env, AFFIDAVIT_S3_PREFIX: 'served/', AFFIDAVIT_STORE_LOCK_MODE: 'compliance' };
    const running = await startServer(data.path, own);
    const body = JSON.stringify({ session_id: 's', hook_event_name: 'UserPromptSubmit', prompt: 'hello' });
    await post(running, { path: '/v1/hooks/claude-code', contentType: 'application/json', body });
    await running.sealed();
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await fetch(`${running.apiUrl}/v1/records?type=archive.probed`, { headers });
    expect(await answer.json()).toMatchObject({
      data: [{ type: 'archive.probed', facts: { success: true } }],
    });
    expect(await running.stop()).toBe(0);
    await data.remove();
    const { code, stdout } = await verify('served/', '--json');
    expect(reportOf({ stdout })).toMatchObject({ ok: true, anchoring: 'signed', tree_size: 2 });
    expect(code).toBe(0);
  });

  it('prints the same for people, and pins the key', async () => {
    const local = await runAffidavit(['verify', folder.dir]);
    expect((await verify()).stdout).toBe(local.stdout);
    const pinned = await verify('--key', folder.options.signer.vkey, '--json');
    expect(reportOf(pinned).anchoring).toBe('signed_by_pinned_key');
    expect((await verify('--key', createTestSigner().vkey)).code).toBe(3);
  });

  it('ends with code 1 and the store’s word where bucket or keys are wrong', async () => {
    const nowhere = await verify('nowhere');
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toContain(
      'ARCHIVE_UNAVAILABLE: the bucket nowhere cannot be listed: 404 NoSuchBucket',
    );
    const wrongKey = { ...env, AFFIDAVIT_S3_ACCESS_KEY_ID: 'nobody' };
    const refused = await runAffidavit(['verify', '--s3'], wrongKey);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`the bucket ${BUCKET} cannot be listed: 403 InvalidAccessKeyId`);
    const wrongSecret = { ...env, AFFIDAVIT_S3_SECRET_ACCESS_KEY: 'guessed secret' };
    const unsigned = await runAffidavit(['verify', '--s3'], wrongSecret);
    expect(unsigned.code).toBe(1);
    expect(unsigned.stderr).toContain('403 SignatureDoesNotMatch');
    expect(unsigned.stderr).not.toContain('guessed secret');
  });

  it('ends with code 1 where nobody answers', async () => {
    const silent = { ...env, AFFIDAVIT_S3_ENDPOINT: 'http://127.0.0.1:1' };
    const { code, stderr } = await runAffidavit(['verify', '--s3'], silent);
    expect(code).toBe(1);
    expect(stderr).toContain(`the bucket ${BUCKET} cannot be listed: ECONNREFUSED`);
  });

  it('ends with code 2 where no bucket is named, or the path is none, or rows are asked for too', async () => {
    expect(await runAffidavit(['verify', '--s3'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('AFFIDAVIT_S3_BUCKET') as string,
    });
    expect((await verify('data/archive')).code).toBe(2);
    expect((await verify('--store')).code).toBe(2);
  });

  it('ends with code 3 where there is no archive below the prefix', async () => {
    const { code, stdout } = await verify('nothing/', '--json');
    expect(code).toBe(3);
    expect(reportOf({ stdout }).failures).toMatchObject([{ code: 'nothing_to_verify' }]);
  });

  it('still reads a bundle under compliance, whatever the configured keys try, and shows what they did', async () => {
    const config = loadConfig(undefined, { ...env, AFFIDAVIT_S3_PREFIX: 'own/' });
    const archive = await openArchive(createContext(config, { logger: createTestLogger().logger }));
    const options = await createTestLog({ archive, records: createMemoryRecordStore() });
    const ledger = await openLedger({ ...options, lockFor: () => COMPLIANCE });
    const records = [testRecord(1), testRecord(2)];
    await appendWhole(ledger, { records, next_offset: 1n, duplicate_count: 0 });
    await archive.close();
    const before = await verify('own/', '--json');
    expect(reportOf(before)).toMatchObject({ ok: true, tree_size: 2 });

    const at = { Bucket: BUCKET, Key: `own/${BUNDLE}` };
    const VersionId = (await versionsOf(bucket, ONCE, at.Key))!.versions[0]!.versionId;
    const read = async () =>
      (await bucket.client.send(new GetObjectCommand({ ...at, VersionId }))).Body!.transformToString(
        'base64',
      );
    const bytes = await read();
    const sooner = new Date('2027-01-01T00:00:00.000Z');
    const retain = (Retention: object, BypassGovernanceRetention: boolean) =>
      new PutObjectRetentionCommand({ ...at, VersionId, Retention, BypassGovernanceRetention });
    const attempts = [
      new DeleteObjectCommand({ ...at, VersionId }),
      new DeleteObjectCommand({ ...at, VersionId, BypassGovernanceRetention: true }),
      new DeleteObjectsCommand({
        Bucket: BUCKET,
        Delete: { Objects: [{ Key: at.Key, VersionId }] },
        BypassGovernanceRetention: true,
        ChecksumAlgorithm: 'SHA256',
      }),
      ...[false, true].flatMap((isBypassing) => [
        retain({ Mode: 'COMPLIANCE', RetainUntilDate: sooner }, isBypassing),
        retain({ Mode: 'GOVERNANCE', RetainUntilDate: new Date(UNTIL) }, isBypassing),
        retain({}, isBypassing),
      ]),
      new PutObjectLegalHoldCommand({ ...at, VersionId, LegalHold: { Status: 'OFF' } }),
      new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration: { Status: 'Suspended' } }),
      new DeleteBucketCommand({ Bucket: BUCKET }),
      new PutObjectCommand({ ...at, Body: 'forged' }),
      new CopyObjectCommand({ ...at, CopySource: `${BUCKET}/own/log/p0/genesis` }),
      new DeleteObjectCommand(at),
    ];
    const refused: string[] = [];
    for (const command of attempts) {
      // Each has its own types of in- and output; what counts is what can be read afterwards.
      const send = bucket.client.send.bind(bucket.client) as (attempt: unknown) => Promise<unknown>;
      await send(command).catch(() => refused.push(command.constructor.name));
      expect(await read(), command.constructor.name).toBe(bytes);
    }
    expect(refused.length).toBeGreaterThan(0);
    const { ObjectLockMode, ObjectLockRetainUntilDate } = await bucket.client.send(
      new HeadObjectCommand({ ...at, VersionId }),
    );
    expect([ObjectLockMode, ObjectLockRetainUntilDate]).toEqual(['COMPLIANCE', new Date(UNTIL)]);

    const after = await verify('own/', '--json');
    expect(after.code).toBe(3);
    const { failures, ...established } = reportOf(after);
    expect(failures.map(({ code, index }) => [code, index])).toEqual([
      ['version_added', 0],
      ['version_unlocked', 0],
      ['delete_marker_added', 0],
    ]);
    const sound = { ...reportOf(before), ok: false, integrity: 'broken' };
    expect({ ...established, failures: [] }).toEqual(sound);
  });
});
