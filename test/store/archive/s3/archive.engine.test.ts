import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveLock } from '../../../../schemas/archive-lock.ts';
import type { S3Bucket } from '../../../../store/archive/s3/client.ts';
import { headVersion, readVersion } from '../../../../store/archive/s3/stored-version.ts';
import { listKeyVersions, type KeyVersions } from '../../../../store/archive/s3/versions.ts';
import { archiveContract } from '../../../contract/archive.contract.ts';
import {
  allVersions,
  openTestArchive,
  openTestBucket,
  type OpenedS3Archive,
} from '../../../support/s3-server-archive.ts';
import { startS3Proxy, type S3Proxy } from '../../../support/s3-server-proxy.ts';
import { findEngine, startS3Server, type S3Server } from '../../../support/s3-server.ts';

const LOCK: ArchiveLock = { mode: 'compliance', retain_until: '2033-01-01T00:00:00.000Z' };
const BUCKET = 'evidence';
const MIB = 1024 * 1024;

const engine = await findEngine('minio');

describe.skipIf(engine.path === undefined)('the S3 archive on MinIO', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  let rival: S3Bucket;
  let count = 0;

  beforeAll(async () => {
    server = await startS3Server('minio', engine.path!);
    await server.makeBucket(BUCKET);
    proxy = await startS3Proxy(server.port);
    rival = openTestBucket(server, BUCKET);
  });

  afterAll(async () => {
    rival.client.destroy();
    await proxy.close();
    await server.stop();
  });

  // Nothing can be removed from a bucket under lock, so each test has a prefix of its own.
  const nextPrefix = () => `t${String((count += 1))}/`;

  archiveContract('a bucket with object lock', () => {
    const prefix = nextPrefix();
    const { endpoint } = proxy;
    return Promise.resolve({
      open: () => Promise.resolve(openTestArchive(server, { endpoint, bucket: BUCKET, prefix }).archive),
      damage: (key) => {
        proxy.arm({ method: 'GET', url: `/${prefix}${key}?`, how: 'flip-body' });
        return Promise.resolve();
      },
      dispose() {
        proxy.reset();
        return Promise.resolve();
      },
    });
  });

  describe('objects', () => {
    let prefix: string;
    let opened: OpenedS3Archive;

    beforeEach(() => {
      proxy.reset();
      prefix = nextPrefix();
      opened = openTestArchive(server, { endpoint: proxy.endpoint, bucket: BUCKET, prefix });
      return () => opened.archive.close();
    });

    const open = (options: Parameters<typeof openTestArchive>[1]) => openTestArchive(server, options);
    const target = () => ({ endpoint: server.endpoint, bucket: BUCKET, prefix });
    const versions = (key: string) => allVersions(rival, `${prefix}${key}`);
    const onlyVersion = async (key: string) => (await versions(key)).versions[0]!.versionId;
    const describeOnly = async (key: string) => headVersion(rival, `${prefix}${key}`, await onlyVersion(key));
    const lockOf = async (key: string) => (await describeOnly(key)).lock;
    const keys = async (below: string) => {
      const found: string[] = [];
      for await (const key of opened.archive.list(below)) found.push(key);
      return found;
    };
    const rivalPut = async (key: string, text: string, isLocked = true) => {
      const lock = isLocked
        ? { ObjectLockMode: 'COMPLIANCE' as const, ObjectLockRetainUntilDate: new Date(LOCK.retain_until) }
        : {};
      const command = new PutObjectCommand({
        Bucket: BUCKET,
        Key: `${prefix}${key}`,
        Body: text,
        ChecksumAlgorithm: 'SHA256',
        ...lock,
      });
      return (await rival.client.send(command)).VersionId!;
    };
    const rivalDelete = async (key: string) => {
      const command = new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}${key}` });
      return (await rival.client.send(command)).VersionId!;
    };

    it('carry mode, date, size and both digests, and a date between seconds is rounded up', async () => {
      await opened.archive.put('a', Buffer.from('hello'), {
        mode: 'governance',
        retain_until: '2033-01-01T00:00:00.001Z',
      });
      expect(await describeOnly('a')).toMatchObject({
        sizeBytes: 5,
        lock: { mode: 'governance', retain_until: '2033-01-01T00:00:01.000Z' },
        checksum: 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=',
        sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      });
    });

    it('cost three requests to put and two to get', async () => {
      await opened.archive.put('a', Buffer.from('hello'), LOCK);
      expect(proxy.requests.map((line) => line.split(' ')[0])).toHaveLength(3);
      expect(proxy.requests[0]).toContain(`PUT /${BUCKET}/${prefix}a`);
      proxy.requests.length = 0;
      await opened.archive.get('a');
      expect(proxy.requests).toHaveLength(2);
    });

    it('get a later date and a stricter mode when the same bytes are put with one, never less', async () => {
      const until = async (mode: ArchiveLock['mode'], year: string) => {
        await opened.archive.put('a', Buffer.from('1'), { mode, retain_until: `${year}-01-01T00:00:00Z` });
        return lockOf('a');
      };
      expect(await until('compliance', '2031')).toEqual({
        mode: 'compliance',
        retain_until: '2031-01-01T00:00:00.000Z',
      });
      expect(await until('compliance', '2032')).toMatchObject({ retain_until: '2032-01-01T00:00:00.000Z' });
      expect(await until('governance', '2033')).toEqual({
        mode: 'compliance',
        retain_until: '2033-01-01T00:00:00.000Z',
      });
      expect(await until('compliance', '2030')).toMatchObject({ retain_until: '2033-01-01T00:00:00.000Z' });
    });

    it('are put under the mode of the archive, where it has one', async () => {
      const { archive } = open({ ...target(), mode: 'governance' });
      await archive.put('a', Buffer.from('1'), LOCK);
      expect(await lockOf('a')).toMatchObject({ mode: 'governance' });
      await archive.close();
    });

    it('are kept under compliance against delete, bypass, many at once, a sooner date and another mode', async () => {
      await opened.archive.put('a', Buffer.from('evidence'), LOCK);
      const object = { Bucket: BUCKET, Key: `${prefix}a`, VersionId: await onlyVersion('a') };
      const bypass = { BypassGovernanceRetention: true };
      const retain = (Mode: 'COMPLIANCE' | 'GOVERNANCE', until: string) =>
        new PutObjectRetentionCommand({
          ...object,
          ...bypass,
          Retention: { Mode, RetainUntilDate: new Date(until) },
        });
      await expect(rival.client.send(new DeleteObjectCommand(object))).rejects.toThrow();
      await expect(rival.client.send(new DeleteObjectCommand({ ...object, ...bypass }))).rejects.toThrow();
      await expect(rival.client.send(retain('COMPLIANCE', '2032-12-31T00:00:00Z'))).rejects.toThrow();
      await expect(rival.client.send(retain('GOVERNANCE', LOCK.retain_until))).rejects.toThrow();
      const many = await rival.client.send(
        new DeleteObjectsCommand({
          Bucket: BUCKET,
          ...bypass,
          Delete: { Objects: [{ Key: object.Key, VersionId: object.VersionId }] },
        }),
      );
      expect(many.Errors).toHaveLength(1);
      expect(await opened.archive.get('a')).toEqual(Buffer.from('evidence'));
      expect(await lockOf('a')).toEqual(LOCK);
    });

    it('stay readable and listed behind a delete marker, which is reported once', async () => {
      await opened.archive.put('log/a', Buffer.from('evidence'), LOCK);
      const truthVersionId = await onlyVersion('log/a');
      const marker = await rivalDelete('log/a');
      expect(await opened.archive.get('log/a')).toEqual(Buffer.from('evidence'));
      expect(await opened.archive.get('log/a')).toEqual(Buffer.from('evidence'));
      expect(await keys('log/')).toEqual(['log/a']);
      expect(opened.tampering).toEqual([
        ['log/a', { kind: 'delete_marker', truthVersionId, otherVersionIds: [marker] }],
      ]);
    });

    it.each([true, false])('stay what they were under a second version, locked: %s', async (isLocked) => {
      await opened.archive.put('a', Buffer.from('evidence'), LOCK);
      const truthVersionId = await onlyVersion('a');
      const second = await rivalPut('a', 'forged', isLocked);
      expect(await opened.archive.get('a')).toEqual(Buffer.from('evidence'));
      expect(await keys('')).toEqual(['a']);
      expect(opened.tampering).toEqual([
        ['a', { kind: 'second_version', truthVersionId, otherVersionIds: [second] }],
      ]);
      expect((await versions('a')).versions.map(({ versionId }) => versionId)).toEqual([
        truthVersionId,
        second,
      ]);
    });

    it('do not fork when they are put over a delete marker', async () => {
      await opened.archive.put('a', Buffer.from('evidence'), LOCK);
      await rivalDelete('a');
      const late = open(target());
      await expect(late.archive.put('a', Buffer.from('other'), LOCK)).rejects.toMatchObject({
        code: 'ARCHIVE_CONFLICT',
      });
      expect(await late.archive.put('a', Buffer.from('evidence'), LOCK)).toBe('exists');
      expect(await late.archive.get('a')).toEqual(Buffer.from('evidence'));
      expect(late.tampering.map(([, { kind }]) => kind)).toContain('delete_marker');
      await late.archive.close();
    });

    it('are created where only a delete marker is, and that is reported', async () => {
      const gone = await rivalPut('a', 'forged', false);
      const marker = await rivalDelete('a');
      const object = { Bucket: BUCKET, Key: `${prefix}a`, VersionId: gone };
      await rival.client.send(new DeleteObjectCommand(object));
      expect(await opened.archive.get('a')).toBeUndefined();
      expect(await keys('')).toEqual([]);
      expect(await opened.archive.put('a', Buffer.from('evidence'), LOCK)).toBe('created');
      expect(await opened.archive.get('a')).toEqual(Buffer.from('evidence'));
      const left = { kind: 'delete_marker', otherVersionIds: [marker] };
      expect(opened.tampering).toEqual([
        ['a', { ...left, truthVersionId: undefined }],
        ['a', { ...left, truthVersionId: await onlyVersion('a') }],
      ]);
    });

    it('written by somebody else without a lock are damage, not evidence', async () => {
      await rivalPut('a', 'forged', false);
      expect(await keys('')).toEqual(['a']);
      const damaged = { code: 'ARCHIVE_DAMAGED' };
      await expect(opened.archive.get('a')).rejects.toMatchObject(damaged);
      await expect(opened.archive.put('a', Buffer.from('forged'), LOCK)).rejects.toMatchObject(damaged);
    });

    it('are the first locked version where somebody wrote without a lock before', async () => {
      const first = await rivalPut('a', 'forged', false);
      await rivalDelete('a');
      expect(await opened.archive.put('a', Buffer.from('evidence'), LOCK)).toBe('created');
      expect(await opened.archive.get('a')).toEqual(Buffer.from('evidence'));
      expect(opened.tampering).toContainEqual([
        'a',
        expect.objectContaining({ kind: 'second_version', otherVersionIds: [first] }),
      ]);
    });

    it('above the threshold are sent in parts, create-only and under lock', async () => {
      const multipart = { thresholdBytes: 6 * MIB, partBytes: 5 * MIB };
      const { archive } = open({ ...target(), multipart });
      const bytes = Buffer.alloc(11 * MIB, 'package');
      expect(await archive.put('large', bytes, LOCK)).toBe('created');
      expect(await archive.put('large', bytes, LOCK)).toBe('exists');
      await expect(archive.put('large', bytes.fill('x', 0, 1), LOCK)).rejects.toMatchObject({
        code: 'ARCHIVE_CONFLICT',
      });
      const stored = await describeOnly('large');
      expect(stored).toMatchObject({ sizeBytes: 11 * MIB, lock: LOCK });
      expect(stored.checksum).toMatch(/-3$/);
      expect((await archive.get('large'))?.length).toBe(11 * MIB);
      expect((await versions('large')).versions).toHaveLength(1);
      await archive.close();
    });

    it('do not fork when eight writers create them over a delete marker', async () => {
      await rivalPut('a', 'before', false);
      await rivalDelete('a');
      const writers = Array.from({ length: 8 }, (_, index) => `writer ${String(index)}`);
      const outcomes = await Promise.all(
        writers.map((text) =>
          opened.archive.put('a', Buffer.from(text), LOCK).catch((error: unknown) => error),
        ),
      );
      const winners = writers.filter((_, index) => outcomes[index] === 'created');
      expect(winners).toHaveLength(1);
      for (const loser of outcomes.filter((outcome) => outcome !== 'created')) {
        expect(loser).toMatchObject({ code: 'ARCHIVE_CONFLICT' });
      }
      expect(await opened.archive.get('a')).toEqual(Buffer.from(winners[0]!));
    });

    it.each([1, 2, 3, 5])('are listed alike in pages of %i', async (pageSize) => {
      for (const key of ['a', 'a-b', 'b', 'c']) await rivalPut(key, `${key} 0`);
      for (const key of ['a', 'c', 'a']) await rivalPut(key, `${key} again`);
      for (const key of ['a', 'b']) await rivalDelete(key);
      const once = { limits: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 }, random: () => 0 };
      const read = async (size: number) => {
        const found: KeyVersions[] = [];
        const retrying = { ...once, sleep: () => Promise.resolve() };
        for await (const each of listKeyVersions(rival, retrying, { prefix, pageSize: size }))
          found.push(each);
        return found;
      };
      const whole = await read(1000);
      expect(whole.map(({ versions: all, deleteMarkers }) => [all.length, deleteMarkers.length])).toEqual([
        [3, 1],
        [1, 0],
        [1, 1],
        [2, 0],
      ]);
      expect(await read(pageSize)).toEqual(whole);
    });

    it('are listed with all versions and markers, oldest first, over several pages', async () => {
      await opened.archive.put('a', Buffer.from('0'), LOCK);
      for (let n = 1; n < 40; n += 1) await rivalPut('a', String(n), n % 2 === 0);
      const marker = await rivalDelete('a');
      const { versions: all, deleteMarkers } = await versions('a');
      expect(all).toHaveLength(40);
      expect(deleteMarkers.map(({ versionId }) => versionId)).toEqual([marker]);
      expect(await opened.archive.get('a')).toEqual(Buffer.from('0'));
      const newest = await readVersion(rival, `${prefix}a`, all[39]!.versionId);
      expect(newest.bytes.toString()).toBe('39');
    });
  });
});
