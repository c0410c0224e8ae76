import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveLock } from '../../../../schemas/archive-lock.ts';
import type { S3Bucket } from '../../../../store/archive/s3/client.ts';
import {
  allVersions,
  openTestArchive,
  openTestBucket,
  type OpenedS3Archive,
} from '../../../support/s3-server-archive.ts';
import { startS3Proxy, type S3Fault, type S3Proxy } from '../../../support/s3-server-proxy.ts';
import { findEngine, startS3Server, type S3Server } from '../../../support/s3-server.ts';

const LOCK: ArchiveLock = { mode: 'compliance', retain_until: '2033-01-01T00:00:00.000Z' };
const BUCKET = 'evidence';
const MIB = 1024 * 1024;
const BYTES = Buffer.alloc(4000, 'evidence ');

const engine = await findEngine('minio');

describe.skipIf(engine.path === undefined)('the S3 archive before a store that fails', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  let rival: S3Bucket;
  let prefix: string;
  let opened: OpenedS3Archive;
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

  beforeEach(() => {
    proxy.reset();
    prefix = `t${String((count += 1))}/`;
    opened = openTestArchive(server, {
      endpoint: proxy.endpoint,
      bucket: BUCKET,
      prefix,
      requestTimeoutMs: 1_000,
    });
    return () => opened.archive.close();
  });

  const versionCount = async (key: string) => (await allVersions(rival, `${prefix}${key}`)).versions.length;
  const PUT = { method: 'PUT', times: 1 } as const;

  it.each<[string, S3Fault]>([
    ['503 before', { ...PUT, how: 503 }],
    ['500 before', { ...PUT, how: 500 }],
    ['429 before', { ...PUT, how: 429 }],
    ['a cut connection before', { ...PUT, how: 'reset-before' }],
    ['silence before', { ...PUT, how: 'silent-before' }],
    ['500 after', { ...PUT, how: 'status-after' }],
    ['a cut connection after', { ...PUT, how: 'reset-after' }],
    ['silence after', { ...PUT, how: 'silent-after' }],
    ['HEAD answered by 503', { method: 'HEAD', how: 503, times: 1 }],
    ['HEAD unanswered', { method: 'HEAD', how: 'reset-before', times: 1 }],
    ['a listing answered by 500', { method: 'GET', url: 'versions', how: 500, times: 2 }],
    ['a listing cut half-way', { method: 'GET', url: 'versions', how: 'cut-body', times: 1 }],
  ])('creates one version and says so, with %s the writing', async (_name, fault) => {
    proxy.arm(fault);
    expect(await opened.archive.put('a', BYTES, LOCK)).toBe('created');
    expect(opened.retries).toHaveLength(fault.times!);
    expect(await versionCount('a')).toBe(1);
    expect(await opened.archive.get('a')).toEqual(BYTES);
    expect(opened.tampering).toEqual([]);
  });

  it('gives up with ARCHIVE_UNAVAILABLE after its attempts, and a later put goes on', async () => {
    proxy.arm({ method: 'PUT', how: 503 });
    await expect(opened.archive.put('a', BYTES, LOCK)).rejects.toMatchObject({
      code: 'ARCHIVE_UNAVAILABLE',
      detail: expect.stringContaining('503') as string,
    });
    expect(proxy.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(4);
    proxy.reset();
    expect(await opened.archive.put('a', BYTES, LOCK)).toBe('created');
  });

  it('says that it exists where an earlier put of unknown outcome was applied', async () => {
    proxy.arm({ method: 'PUT', how: 'reset-after' });
    proxy.arm({ method: 'GET', how: 'reset-before' });
    await expect(opened.archive.put('a', BYTES, LOCK)).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
    proxy.reset();
    expect(await opened.archive.put('a', BYTES, LOCK)).toBe('exists');
  });

  it('takes the object of a rival for what it is after an unknown outcome', async () => {
    const rival = openTestArchive(server, { endpoint: server.endpoint, bucket: BUCKET, prefix });
    await rival.archive.put('a', Buffer.from('of a rival'), LOCK);
    proxy.arm({ ...PUT, how: 500 });
    await expect(opened.archive.put('a', BYTES, LOCK)).rejects.toMatchObject({ code: 'ARCHIVE_CONFLICT' });
    await rival.archive.close();
  });

  it.each(['reset-before', 'cut-body', 'flip-body', 503] as const)('reads again after %s', async (how) => {
    await opened.archive.put('a', BYTES, LOCK);
    proxy.arm({ method: 'GET', url: '/a?', how, times: 1 });
    expect(await opened.archive.get('a')).toEqual(BYTES);
    expect(opened.retries).toHaveLength(1);
  });

  it('says ARCHIVE_DAMAGED when it reads other bytes each time, and ARCHIVE_UNAVAILABLE when it reads none', async () => {
    await opened.archive.put('a', BYTES, LOCK);
    proxy.arm({ method: 'GET', url: '/a?', how: 'flip-body', times: 4 });
    await expect(opened.archive.get('a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    proxy.arm({ method: 'GET', url: '/a?', how: 'cut-body', times: 4 });
    await expect(opened.archive.get('a')).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  });

  it('lists everything although pages fail', async () => {
    for (const key of ['a', 'b', 'c']) await opened.archive.put(key, BYTES, LOCK);
    proxy.arm({ method: 'GET', url: 'versions', how: 'cut-body', times: 1 });
    proxy.arm({ method: 'GET', url: 'versions', how: 503, times: 1 });
    const keys: string[] = [];
    for await (const key of opened.archive.list('')) keys.push(key);
    expect(keys).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['x-amz-object-lock-mode', 'GOVERNANCE', 'the lock'],
    ['x-amz-object-lock-mode', undefined, 'the lock'],
    ['x-amz-object-lock-retain-until-date', '2032-12-31T23:59:59Z', 'the lock'],
    ['x-amz-checksum-sha256', 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=', 'the checksum'],
    ['x-amz-meta-sha256', undefined, 'the metadata'],
    ['content-length', '3999', 'the size'],
  ])('stops when HEAD says %s: %s', async (header, value, named) => {
    proxy.changeHeaders((headers) => {
      if (headers['x-amz-object-lock-mode'] === undefined) return;
      if (value === undefined) Reflect.deleteProperty(headers, header);
      else headers[header] = value;
    });
    await expect(opened.archive.put('a', BYTES, LOCK)).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      detail: expect.stringContaining(named) as string,
    });
  });

  it('reads the object back where the store tells no checksum', async () => {
    proxy.changeHeaders((headers) => Reflect.deleteProperty(headers, 'x-amz-checksum-sha256'));
    expect(await opened.archive.put('a', BYTES, LOCK)).toBe('created');
    expect(proxy.requests.filter((line) => line.startsWith('GET') && line.includes('/a?'))).toHaveLength(1);
  });

  it.each<[string, S3Fault, number]>([
    ['a part refused once', { ...PUT, url: 'partNumber=2', how: 503 }, 1],
    ['a part cut after', { ...PUT, url: 'partNumber=1', how: 'reset-after' }, 1],
    ['the beginning unanswered', { method: 'POST', url: 'uploads', how: 'reset-after', times: 1 }, 1],
    ['the end refused', { method: 'POST', url: 'uploadId', how: 503, times: 1 }, 1],
    ['the end done and unanswered', { method: 'POST', url: 'uploadId', how: 'reset-after', times: 1 }, 1],
  ])('creates one version of many parts with %s', async (_name, fault, retries) => {
    const multipart = { thresholdBytes: 5 * MIB, partBytes: 5 * MIB };
    const parted = openTestArchive(server, { endpoint: proxy.endpoint, bucket: BUCKET, prefix, multipart });
    proxy.arm(fault);
    const bytes = Buffer.alloc(6 * MIB, 'package');
    expect(await parted.archive.put('large', bytes, LOCK)).toBe('created');
    expect(parted.retries).toHaveLength(retries);
    expect(await versionCount('large')).toBe(1);
    expect(Buffer.compare(bytes, (await parted.archive.get('large'))!)).toBe(0);
    await parted.archive.close();
  });

  it('says ARCHIVE_UNAVAILABLE without trying again where it is refused', async () => {
    const stranger = openTestArchive(
      { credentials: { accessKeyId: 'nobody', secretAccessKey: 'nobodys-secret' } },
      { endpoint: proxy.endpoint, bucket: BUCKET, prefix },
    );
    const unavailable = { code: 'ARCHIVE_UNAVAILABLE', detail: expect.stringContaining('403') as string };
    await expect(stranger.archive.put('a', BYTES, LOCK)).rejects.toMatchObject(unavailable);
    await expect(stranger.archive.get('a')).rejects.toMatchObject(unavailable);
    expect(stranger.retries).toEqual([]);
    await stranger.archive.close();
  });

  it('refuses a bucket without object lock at the first put', async () => {
    await server.makePlainBucket('plain');
    const plain = openTestArchive(server, { endpoint: server.endpoint, bucket: 'plain' });
    await expect(plain.archive.put('a', BYTES, LOCK)).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
    expect(await plain.archive.get('a')).toBeUndefined();
    await plain.archive.close();
  });
});
