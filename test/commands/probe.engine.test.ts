import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeReport } from '../../schemas/probe.ts';
import { findEngine, startS3Server, type S3Server } from '../support/s3-server.ts';
import { ADMIN_TOKEN, COLLECTOR_TOKEN, makeTempDir, runAffidavit, startServer } from '../support/server.ts';

const BUCKET = 'evidence';
const [minio, versitygw] = [await findEngine('minio'), await findEngine('versitygw')];

function probe(server: S3Server, ...args: string[]) {
  const { endpoint, credentials } = server;
  return runAffidavit(['probe', '--endpoint', endpoint, '--bucket', BUCKET, ...args], {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
}

/** The environment that names the bucket and its keys. */
function configured({ endpoint, credentials }: S3Server) {
  return {
    AFFIDAVIT_S3_ENDPOINT: endpoint,
    AFFIDAVIT_S3_BUCKET: BUCKET,
    AFFIDAVIT_S3_PREFIX: 'archive/',
    AFFIDAVIT_S3_ACCESS_KEY_ID: credentials.accessKeyId,
    AFFIDAVIT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}

describe.skipIf(minio.path === undefined)('affidavit probe on MinIO', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server('minio', minio.path!);
    await server.makeBucket(BUCKET);
  });
  afterAll(() => server.stop());

  it('prints a table and ends with code 0', async () => {
    const { code, stdout } = await probe(server, '--quick');
    expect(stdout).toMatch(/yes {2}a lock cannot be shortened .*lock as it was\n/);
    expect(stdout).toMatch(/The store holds what an archive needs\.\n$/);
    expect(code).toBe(0);
  });

  it('takes bucket, server and keys from the configuration', async () => {
    const { code, stdout } = await runAffidavit(['probe', '--quick', '--json'], configured(server));
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, bucket: BUCKET, endpoint: server.endpoint });
    expect((JSON.parse(stdout) as ProbeReport).prefix).toMatch(/^archive\/\.affidavit-probe\//);
    expect(code).toBe(0);
  });

  it('prefers what it is told to what is configured', async () => {
    const options = ['--bucket', 'nowhere', '--prefix', 'other/'];
    const { code, stderr } = await runAffidavit(['probe', '--quick', ...options], configured(server));
    expect(stderr).toContain('the bucket nowhere cannot be listed: 404');
    expect(code).toBe(1);
  });

  it('has the report sealed by a running server', async () => {
    const folder = await makeTempDir();
    const running = await startServer(folder.path);
    const args = ['probe', '--quick', '--json', '--url', running.ingestUrl];
    const env = { ...configured(server), AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN };
    const { code, stdout } = await runAffidavit(args, env);
    expect(code).toBe(0);
    await running.sealed();
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await fetch(`${running.apiUrl}/v1/records?type=archive.probed`, { headers });
    const { data } = (await answer.json()) as { data: { facts: object }[] };
    const { duration_ms } = JSON.parse(stdout) as ProbeReport;
    expect(data).toMatchObject([{ type: 'archive.probed', facts: { success: true, duration_ms } }]);
    await running.stop();
    await folder.remove();
  });

  it('ends with code 2 where there is no token to have it sealed with', async () => {
    const { code, stderr } = await runAffidavit(
      ['probe', '--quick', '--url', 'http://x'],
      configured(server),
    );
    expect(stderr).toContain('AFFIDAVIT_COLLECTOR_TOKEN');
    expect(code).toBe(2);
  });

  it('ends with code 1 where the bucket is not there, and 2 where none is named', async () => {
    const { endpoint, credentials } = server;
    const env = {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
    const missing = await runAffidavit(['probe', '--endpoint', endpoint, '--bucket', 'nowhere'], env);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('ARCHIVE_UNAVAILABLE: the bucket nowhere cannot be listed: 404');
    expect((await runAffidavit(['probe'], {})).code).toBe(2);
  });
});

describe.skipIf(versitygw.path === undefined)('affidavit probe on versitygw', () => {
  it('prints the report as JSON and ends with code 3', async () => {
    const server = await startS3Server('versitygw', versitygw.path!);
    try {
      await server.makeBucket(BUCKET);
      const { code, stdout } = await probe(server, '--quick', '--json');
      const report = JSON.parse(stdout) as ProbeReport;
      expect(report).toMatchObject({ v: 1, ok: false, part: 'quick', endpoint: server.endpoint });
      expect(report.findings.find(({ code: name }) => name === 'shortening_refused')?.ok).toBe(false);
      expect(code).toBe(3);
    } finally {
      await server.stop();
    }
  });
});
