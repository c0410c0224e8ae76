import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeAtStart } from '../../app/checks.ts';
import { createContext } from '../../app/context.ts';
import { loadConfig, type Config } from '../../config.ts';
import { PROBES } from '../../schemas/probe.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { startS3Proxy, type S3Proxy } from '../support/s3-server-proxy.ts';
import { findEngine, startS3Server, type S3Server } from '../support/s3-server.ts';

const BUCKET = 'evidence';
const WARN = 40;
const [minio, versitygw] = [await findEngine('minio'), await findEngine('versitygw')];

function configOf({ credentials }: S3Server, endpoint: string, more: Record<string, string> = {}): Config {
  return loadConfig(undefined, {
    AFFIDAVIT_S3_ENDPOINT: endpoint,
    AFFIDAVIT_S3_BUCKET: BUCKET,
    AFFIDAVIT_S3_PREFIX: 'archive/',
    AFFIDAVIT_S3_ACCESS_KEY_ID: credentials.accessKeyId,
    AFFIDAVIT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...more,
  });
}

const probe = (config: Config, logger = createTestLogger().logger) =>
  probeAtStart(createContext(config, { logger }));

async function refusalOf(config: Config): Promise<string> {
  const error = await probe(config).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'START_REFUSED' });
  return (error as Error).message;
}

describe('the probe at the start', () => {
  it('is none where the archive is a folder', async () => {
    const { logger, lines } = createTestLogger();
    expect(await probe(loadConfig(undefined, {}), logger)).toBeUndefined();
    expect(lines).toEqual([]);
  });
});

describe.skipIf(minio.path === undefined)('the probe at the start on MinIO', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  beforeAll(async () => {
    server = await startS3Server('minio', minio.path!);
    await server.makeBucket(BUCKET);
    proxy = await startS3Proxy(server.port);
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  it('gives the report with the time it took, and logs one line', async () => {
    const { logger, lines } = createTestLogger();
    const report = await probe(configOf(server, server.endpoint), logger);
    expect(report).toMatchObject({ ok: true, part: 'quick', bucket: BUCKET, endpoint: server.endpoint });
    expect(report?.prefix).toMatch(/^archive\/\.affidavit-probe\//);
    expect(report?.duration_ms).toBeGreaterThan(0);
    expect(lines).toMatchObject([
      { msg: 'the bucket was probed', bucket: BUCKET, durationMs: report?.duration_ms, probeCount: 6 },
    ]);
  });

  it('refuses a bucket without object lock and says of each property what it means and what to do', async () => {
    await server.makePlainBucket('plain');
    const config = configOf(server, server.endpoint, { AFFIDAVIT_S3_BUCKET: 'plain' });
    const message = await refusalOf(config);
    expect(message).toContain(`the bucket plain at ${server.endpoint} must not hold the archive`);
    for (const code of ['lock_configured', 'lock_kept', 'locked_delete_refused'] as const) {
      expect(message).toContain(`  ${code}: ${PROBES[code].name}; `);
      expect(message).toContain(`    means: ${PROBES[code].meaning}\n    do:    ${PROBES[code].action}`);
    }
    expect(message).not.toContain('create_only:');
  });

  it('refuses a bucket that creates twice, unless one sequencer is vouched for, and then warns each time', async () => {
    proxy.arm({ method: 'PUT', url: '/create-only', how: 200 });
    expect(await refusalOf(configOf(server, proxy.endpoint))).toContain('create_only: creation is exclusive');
    const alone = configOf(server, proxy.endpoint, { AFFIDAVIT_S3_DANGEROUSLY_SINGLE_SEQUENCER: 'true' });
    for (const start of ['first', 'second']) {
      const { logger, lines } = createTestLogger();
      expect(await probe(alone, logger), start).toMatchObject({ ok: false });
      const warnings = lines.filter(({ level }) => level === WARN);
      expect(warnings, start).toMatchObject([{ forgiven: ['create_only'] }]);
      expect(warnings[0]?.msg).toContain('or the log forks');
    }
    proxy.reset();
  });

  it('says nothing of a single sequencer where the bucket creates exclusively', async () => {
    const { logger, lines } = createTestLogger();
    const config = configOf(server, server.endpoint, { AFFIDAVIT_S3_DANGEROUSLY_SINGLE_SEQUENCER: 'true' });
    expect(await probe(config, logger)).toMatchObject({ ok: true });
    expect(lines.filter(({ level }) => level >= WARN)).toEqual([]);
  });

  it('rejects with ARCHIVE_UNAVAILABLE where there is no bucket, which is no finding about it', async () => {
    const config = configOf(server, server.endpoint, { AFFIDAVIT_S3_BUCKET: 'nowhere' });
    await expect(probe(config)).rejects.toMatchObject({
      code: 'ARCHIVE_UNAVAILABLE',
      detail: 'the bucket nowhere cannot be listed: 404 NoSuchBucket',
    });
  });
});

describe.skipIf(versitygw.path === undefined)('the probe at the start on versitygw', () => {
  it('refuses a store that lets a lock be shortened, also for a single sequencer', async () => {
    const server = await startS3Server('versitygw', versitygw.path!);
    try {
      await server.makeBucket(BUCKET);
      const config = configOf(server, server.endpoint, { AFFIDAVIT_S3_DANGEROUSLY_SINGLE_SEQUENCER: 'true' });
      expect(await refusalOf(config)).toContain('shortening_refused: a lock cannot be shortened; ');
    } finally {
      await server.stop();
    }
  });
});
