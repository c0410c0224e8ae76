import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContext } from '../../app/context.ts';
import { openArchive, s3ConnectionOf } from '../../app/engines.ts';
import { loadConfig, type Config } from '../../config.ts';
import { ArchiveTampering } from '../../schemas/archive-tampering.ts';
import { compileValidator } from '../../schemas/validate.ts';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { S3Bucket } from '../../store/archive/s3/client.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { openTestBucket } from '../support/s3-server-archive.ts';
import { startS3Proxy, type S3Proxy } from '../support/s3-server-proxy.ts';
import { findEngine, startS3Server, type S3Server } from '../support/s3-server.ts';
import { makeTempDir } from '../support/server.ts';

const BUCKET = 'evidence';
const KEY = 'log/p0/bundle/00000000000000000000';
const LOCK: ArchiveLock = { mode: 'compliance', retain_until: '2033-01-01T00:00:00.000Z' };
const [WARN, ERROR] = [40, 50];
const minio = await findEngine('minio');
const nobody = { onTampering: () => expect.fail('nothing was tampered with') };

describe('openArchive without a bucket', () => {
  it('opens the folder of the archive in the data folder', async () => {
    const folder = await makeTempDir();
    const config = loadConfig(undefined, { AFFIDAVIT_DATA: folder.path });
    const archive = await openArchive(createContext(config, { logger: createTestLogger().logger }), nobody);
    await archive.put(KEY, Buffer.from('bytes'), LOCK);
    await archive.close();
    expect(await readFile(join(folder.path, 'archive', KEY), 'utf8')).toBe('bytes');
    await folder.remove();
  });
});

describe('s3ConnectionOf', () => {
  it('gives what is configured, and leaves credentials to the usual chain where none are', () => {
    const config = loadConfig(undefined, { AFFIDAVIT_S3_BUCKET: BUCKET, AFFIDAVIT_S3_REGION: 'eu-west-1' });
    expect(s3ConnectionOf(config)).toEqual({ bucket: BUCKET, region: 'eu-west-1' });
  });

  it('throws CONFIG_INVALID where no bucket is configured', () => {
    expect(() => s3ConnectionOf(loadConfig(undefined, {}))).toThrow('AFFIDAVIT_S3_BUCKET');
  });
});

describe.skipIf(minio.path === undefined)('openArchive with a bucket', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  let rival: S3Bucket;
  let config: Config;
  beforeAll(async () => {
    server = await startS3Server('minio', minio.path!);
    await server.makeBucket(BUCKET);
    proxy = await startS3Proxy(server.port);
    rival = openTestBucket(server, BUCKET);
    config = loadConfig(undefined, {
      AFFIDAVIT_S3_ENDPOINT: proxy.endpoint,
      AFFIDAVIT_S3_BUCKET: BUCKET,
      AFFIDAVIT_S3_PREFIX: 'archive/',
      AFFIDAVIT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AFFIDAVIT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    });
  });
  afterAll(async () => {
    rival.client.destroy();
    await proxy.close();
    await server.stop();
  });

  it('writes below the prefix, and logs what it had to repeat without any content', async () => {
    const { logger, lines } = createTestLogger();
    const archive = await openArchive(createContext(config, { logger }), nobody);
    proxy.arm({ method: 'PUT', how: 503, times: 1 });
    expect(await archive.put(KEY, Buffer.from('canary content'), LOCK)).toBe('created');
    expect(proxy.requests[0]).toContain(`PUT /${BUCKET}/archive/${KEY}`);
    expect(lines).toMatchObject([{ level: WARN, attempt: `putting archive/${KEY}`, bucket: BUCKET }]);
    const { secretAccessKey } = server.credentials;
    expect(JSON.stringify(lines)).not.toMatch(new RegExp(`canary|${secretAccessKey}`));
    await archive.close();
  });

  it('logs tampering as an error and hands it on, once, while reading the truth', async () => {
    const key = `${KEY.slice(0, -1)}1`;
    const { logger, lines } = createTestLogger();
    const found: [string, ArchiveTampering][] = [];
    const archive = await openArchive(createContext(config, { logger }), {
      onTampering: (...finding) => void found.push(finding),
    });
    await archive.put(key, Buffer.from('truth'), LOCK);
    const target = { Bucket: BUCKET, Key: `archive/${key}` };
    const { VersionId: marker } = await rival.client.send(new DeleteObjectCommand(target));
    const { VersionId: forged } = await rival.client.send(
      new PutObjectCommand({ ...target, Body: 'forged' }),
    );
    for (const reading of ['first', 'second']) {
      expect(Buffer.from((await archive.get(key)) ?? []).toString(), reading).toBe('truth');
    }
    expect(found.map(([at]) => at)).toEqual([key, key]);
    expect(found.map(([, { kind, other_version_ids }]) => [kind, other_version_ids])).toEqual([
      ['second_version', [forged]],
      ['delete_marker', [marker]],
    ]);
    expect(compileValidator(ArchiveTampering)(found[0]?.[1])).toMatchObject({
      ok: true,
      value: { bucket: BUCKET, prefix: 'archive/', endpoint: proxy.endpoint },
    });
    const errors = lines.filter(({ level }) => level === ERROR);
    expect(errors).toMatchObject([
      { key, kind: 'second_version', other_version_ids: [forged] },
      { key, kind: 'delete_marker', other_version_ids: [marker] },
    ]);
    await archive.close();
  });
});
