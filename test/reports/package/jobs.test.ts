import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FRAMEWORKS } from '../../../reports/frameworks/index.ts';
import { openEvidencePackages, type PackageBuild } from '../../../reports/package/jobs.ts';
import type { EvidencePackages, PackageRequest } from '../../../reports/package/packages.ts';
import { PipelineError } from '../../../schemas/errors.ts';

const REQUEST: PackageRequest = {
  framework: 'soc2',
  period: { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' },
  requested_by: 'auditor-desk',
};

async function settled(packages: EvidencePackages): Promise<void> {
  while ((await packages.list()).some(({ state }) => state === 'running')) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('evidence packages as jobs', () => {
  let dir: string;
  let now: number;
  let ids: number;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-jobs-'));
    now = Date.parse('2026-04-02T08:00:00Z');
    ids = 0;
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const open = (build: (build: PackageBuild) => Promise<void>) =>
    openEvidencePackages({
      dir,
      frameworks: FRAMEWORKS,
      build,
      clock: () => (now += 1000),
      newId: () => `id-${(ids += 1)}`,
      logger: pino({ level: 'silent' }),
    });
  const writing = (text: string) => (build: PackageBuild) => writeFile(build.path, text);

  it('answers at once, and names digest and size once the ZIP is there', async () => {
    const packages = await open(writing('zip bytes'));
    const job = await packages.create(REQUEST);
    expect(job).toMatchObject({ id: 'id-1', state: 'running', sha256: null, request: REQUEST });
    await settled(packages);
    const done = (await packages.get('id-1'))!;
    expect(done).toMatchObject({ state: 'ready', failure: null, size_bytes: 9 });
    expect(done.sha256).toBe(createHash('sha256').update('zip bytes').digest('hex'));
    expect(await readFile(await packages.file('id-1'), 'utf8')).toBe('zip bytes');
  });

  it('hands the framework that a request names to the builder, and refuses one that nobody knows', async () => {
    const built: string[] = [];
    const packages = await open((build) => {
      built.push(build.framework.title);
      return writing('zip bytes')(build);
    });
    await packages.create(REQUEST);
    await settled(packages);
    expect(built).toEqual(['SOC 2']);
    await expect(packages.create({ ...REQUEST, framework: 'astrology' })).rejects.toMatchObject({
      code: 'PARAMETER_INVALID',
      place: '/framework',
    });
    expect(await packages.list()).toHaveLength(1);
  });

  it('runs one job at a time, in order', async () => {
    let running = 0;
    const order: string[] = [];
    const packages = await open(async (build) => {
      expect((running += 1)).toBe(1);
      await writeFile(build.path, build.package_id);
      order.push(build.package_id);
      running -= 1;
    });
    await Promise.all([packages.create(REQUEST), packages.create(REQUEST), packages.create(REQUEST)]);
    await settled(packages);
    expect(order).toEqual(['id-1', 'id-2', 'id-3']);
    expect((await packages.list()).map(({ id }) => id)).toEqual(['id-3', 'id-2', 'id-1']);
  });

  it('reports a failure by its code, goes on with the next job and leaves nothing behind', async () => {
    const packages = await open(async (build) => {
      await writeFile(build.path, 'half');
      if (build.package_id === 'id-1') throw new PipelineError('STORE_DIVERGED', 'row 7 differs');
      if (build.package_id === 'id-2') throw new TypeError('defect');
    });
    await packages.create(REQUEST);
    await packages.create(REQUEST);
    await packages.create(REQUEST);
    await settled(packages);
    expect(await packages.get('id-1')).toMatchObject({ state: 'failed', failure: 'STORE_DIVERGED' });
    expect(await packages.get('id-2')).toMatchObject({ state: 'failed', failure: 'INTERNAL' });
    expect(await packages.get('id-3')).toMatchObject({ state: 'ready' });
    await packages.close();
    expect((await readdir(dir)).sort()).toEqual([
      'id-1.job.json',
      'id-2.job.json',
      'id-3.job.json',
      'id-3.zip',
    ]);
  });

  it('keeps jobs and files over a restart, and reports what was interrupted as failed', async () => {
    const packages = await open(writing('zip'));
    await packages.create(REQUEST);
    await settled(packages);
    await packages.close();
    const job = (await packages.get('id-1'))!;
    const lost = { ...job, id: 'id-9', state: 'running', finished_at: null, sha256: null, size_bytes: null };
    await writeFile(join(dir, 'id-9.job.json'), JSON.stringify(lost));
    await writeFile(join(dir, 'id-9.zip.partial'), 'half');

    const again = await open(writing('never'));
    expect(await again.get('id-1')).toEqual(job);
    expect(await again.get('id-9')).toMatchObject({ state: 'failed', failure: 'PACKAGE_INTERRUPTED' });
    expect(await readdir(dir)).not.toContain('id-9.zip.partial');
    const onDisk: unknown = JSON.parse(await readFile(join(dir, 'id-9.job.json'), 'utf8'));
    expect(onDisk).toEqual(await again.get('id-9'));
    await again.close();
  });

  it('stops the running job and those behind it when it is closed, and takes no more', async () => {
    const packages = await open(
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new PipelineError('PACKAGE_INTERRUPTED', 'stopped')));
        }),
    );
    await packages.create(REQUEST);
    await packages.create(REQUEST);
    await new Promise((resolve) => setImmediate(resolve));
    await packages.close();
    await packages.close();
    const states = (await packages.list()).map(({ state, failure }) => [state, failure]);
    expect(states).toEqual(Array(2).fill(['failed', 'PACKAGE_INTERRUPTED']));
    await expect(packages.create(REQUEST)).rejects.toMatchObject({ code: 'PACKAGE_INTERRUPTED' });
  });

  it('gives no file for a job that is unknown, running or failed', async () => {
    const packages = await open(() => Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'down')));
    await expect(packages.file('../../../etc/passwd')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await packages.create(REQUEST);
    await expect(packages.file('id-1')).rejects.toMatchObject({ code: 'PACKAGE_NOT_READY' });
    await settled(packages);
    await expect(packages.file('id-1')).rejects.toMatchObject({ code: 'PACKAGE_NOT_READY' });
  });

  it('refuses a period that holds nothing', async () => {
    const packages = await open(writing('zip'));
    const period = { from: REQUEST.period.to, to: REQUEST.period.to };
    await expect(packages.create({ ...REQUEST, period })).rejects.toMatchObject({
      code: 'PARAMETER_INVALID',
    });
    await packages.close();
  });
});
