import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBES, refusals, type ProbeReport } from '../../../../schemas/probe.ts';
import { probeStore } from '../../../../store/archive/s3/probe-store.ts';
import { openTestBucket } from '../../../support/s3-server-archive.ts';
import { findEngine, startS3Server, type S3Engine, type S3Server } from '../../../support/s3-server.ts';

const BUCKET = 'evidence';
const [minio, versitygw] = [await findEngine('minio'), await findEngine('versitygw')];

let probeCount = 0;

async function probe(server: S3Server, part: ProbeReport['part'], bucket = BUCKET): Promise<ProbeReport> {
  const opened = openTestBucket(server, bucket);
  try {
    return await probeStore(opened, {
      part,
      endpoint: server.endpoint,
      prefix: 'archive/',
      id: String((probeCount += 1)),
      clock: () => Date.now(),
      sleep: (ms) => sleep(ms),
      lockMs: 10_000,
    });
  } finally {
    opened.client.destroy();
  }
}

const failed = ({ findings }: ProbeReport) => findings.filter(({ ok }) => !ok).map(({ code }) => code);

function onServer(engine: S3Engine, path: string | undefined, tests: (server: () => S3Server) => void): void {
  describe.skipIf(path === undefined)(`the probe of ${engine}`, () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await startS3Server(engine, path!);
      await server.makeBucket(BUCKET);
    });
    afterAll(() => server.stop());
    tests(() => server);
  });
}

onServer('minio', minio.path, (server) => {
  it('finds every property, and leaves nothing behind', async () => {
    const report = await probe(server(), 'full');
    expect(failed(report), JSON.stringify(report.findings, null, 2)).toEqual([]);
    expect(report).toMatchObject({ ok: true, part: 'full', bucket: BUCKET, left_behind: [] });
    expect(report.findings.map(({ code }) => code)).toEqual(Object.keys(PROBES));
  });

  it('finds the quick properties without waiting, and names what stays locked', async () => {
    const report = await probe(server(), 'quick');
    expect(report.ok).toBe(true);
    expect(report.findings.map(({ code }) => code)).toEqual(
      Object.entries(PROBES).flatMap(([code, { part }]) => (part === 'quick' ? [code] : [])),
    );
    expect(report.left_behind.map(({ key }) => key.split('/').at(-1))).toEqual(['delete', 'lock', 'shorten']);
  });

  it('refuses a bucket without object lock, and says what could not be tried', async () => {
    await server().makePlainBucket('plain');
    const report = await probe(server(), 'quick', 'plain');
    expect(failed(report)).toContain('lock_configured');
    expect(failed(report)).toContain('lock_kept');
    expect(report.findings.find(({ code }) => code === 'locked_delete_refused')?.observed).toMatch(
      /^could not be tried: 400 /,
    );
  });

  it('rejects with ARCHIVE_UNAVAILABLE where there is no bucket', async () => {
    await expect(probe(server(), 'quick', 'nowhere')).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  });
});

onServer('versitygw', versitygw.path, (server) => {
  it('refuses it, because a compliance lock can be shortened', async () => {
    const report = await probe(server(), 'quick');
    expect(report.ok).toBe(false);
    expect(failed(report)).toContain('shortening_refused');
    expect(refusals(report, { isSingleSequencer: true }).length).toBeGreaterThan(0);
  });
});
