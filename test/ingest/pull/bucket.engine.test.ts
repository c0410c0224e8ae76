import { mkdir } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collectGateway } from '../../../commands/collect-gateway.ts';
import { openBucketOfLogs } from '../../../app/pull-sources.ts';
import { loadConfig, type Config } from '../../../config.ts';
import { openBucket, type S3Bucket } from '../../../store/archive/s3/client.ts';
import { findEngine, REGION, startS3Server, type S3Server } from '../../support/s3-server.ts';
import { makeTempDir } from '../../support/server.ts';
import { startStub, type Stub } from './receivers-stub.ts';

const BUCKET = 'gateway-logs';
const minio = await findEngine('minio');

const line = (id: number) => `${JSON.stringify({ id: String(id) })}\n`;
const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
const idsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

async function drain(pieces: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const piece of pieces) bytes += piece.length;
  return bytes;
}

describe.skipIf(minio.path === undefined)('a pull of objects in a bucket, on MinIO', () => {
  let server: S3Server;
  let bucket: S3Bucket;
  let config: Config;
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let stub: Stub;
  let round = 0;
  /** A prefix for each test. */
  const prefix = () => `logs-${String(round)}/`;

  beforeAll(async () => {
    server = await startS3Server('minio', minio.path!);
    await server.makePlainBucket(BUCKET);
    bucket = openBucket({ ...server, region: REGION, bucket: BUCKET });
    const env = {
      AFFIDAVIT_S3_ENDPOINT: server.endpoint,
      AFFIDAVIT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AFFIDAVIT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    };
    config = { ...loadConfig(undefined, env), collector_token: 'token' };
  });
  afterAll(async () => {
    bucket.client.destroy();
    await server.stop();
  });
  beforeEach(async () => {
    round += 1;
    folder = await makeTempDir();
    await mkdir(`${folder.path}/data`);
    stub = await startStub();
  });
  afterEach(async () => {
    await stub.close();
    await folder.remove();
  });

  const put = (key: string, body: string | Buffer) =>
    bucket.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: prefix() + key, Body: body }));

  async function run() {
    const lines: string[] = [];
    const output = { isTerminal: false, write: (text: string) => void lines.push(text) };
    const options = { from: `s3://${BUCKET}/${prefix()}`, to: stub.url, once: false, json: true };
    const settings = { ...config, data: folder.path };
    const isWhole = await collectGateway(
      settings,
      'cloudflare',
      options,
      output,
      new AbortController().signal,
    );
    return { isWhole, told: JSON.parse(lines.join('')) as Record<string, unknown> };
  }

  it('delivers objects in order of their keys, once, and new ones when they are there', async () => {
    await put('2026/b.log.gz', gzipSync(linesOf(2, 4)));
    await put('2026/a.log', linesOf(0, 2).trimEnd());
    await put('2026/', '');
    expect((await run()).told).toMatchObject({ files_seen: 2, files: 2, accepted: 4, problem_count: 0 });
    await put('2026/c.json', '[{"id":"4"}]');
    expect((await run()).told).toMatchObject({ files_seen: 3, files: 1, accepted: 1 });
    expect((await run()).told).toMatchObject({ files_seen: 3, files: 0, accepted: 0 });
    expect(stub.ids()).toEqual(idsOf(0, 5));
  });

  it('reads a key anew that was written anew, and goes on where the old object is its beginning', async () => {
    await put('a.log', linesOf(0, 2));
    await run();
    await put('a.log', linesOf(0, 3));
    await run();
    await put('a.log', linesOf(10, 12));
    await run();
    expect(stub.ids()).toEqual([...idsOf(0, 3), ...idsOf(10, 12)]);
  });

  it('lists more objects than fit on a page, and keys that XML cannot hold', async () => {
    const keys = Array.from({ length: 1005 }, (_, index) => `${String(index).padStart(4, '0')}.log`);
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map((key, index) => put(key, line(at + index))));
    }
    await put('z +&<%é.log', line(1005));
    expect((await run()).told).toMatchObject({ files: 1006, accepted: 1006 });
    expect(stub.ids()).toEqual(idsOf(0, 1006));
  }, 60_000);

  it('says of an object that is gone or another since it was listed that it is', async () => {
    await put('a.log', line(0));
    await put('b.log', line(1));
    const files = await openBucketOfLogs(config, { bucket: BUCKET, prefix: prefix() });
    const [a, b] = await files.list();
    await put('a.log', line(2));
    await bucket.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix()}b.log` }));
    for (const file of [a!, b!]) {
      await expect(drain(files.read(file))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    files.close();
  });

  it('ends where the bucket cannot be listed', async () => {
    const files = await openBucketOfLogs(config, { bucket: 'absent-bucket', prefix: '' });
    await expect(files.list()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    files.close();
  });
});
