import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import {
  ADMIN_TOKEN,
  COLLECTOR_TOKEN,
  getJson,
  makeTempDir,
  post,
  runAffidavit,
  startServer,
} from '../support/server.ts';
import { readArguments, readMeasureArguments } from './arguments.ts';
import { makeDataset, type Made } from './dataset.ts';
import { measure } from './measure.ts';

const ROOT = join(import.meta.dirname, '../..');
const RECORDS = 300;
const BUNDLES = 7;

describe('a log that was made directly', () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let data = '';
  let made: Made;
  const configOf = (dir: string) =>
    loadConfig(undefined, {
      AFFIDAVIT_DATA: dir,
      AFFIDAVIT_ADMIN_TOKEN: ADMIN_TOKEN,
      AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN,
    });
  const options = { records: RECORDS, bundles: BUNDLES, seed: 's', days: 3 };
  const verify = async (...args: string[]) => {
    const { stdout } = await runAffidavit(['verify', ...args, '--json'], { AFFIDAVIT_DATA: data });
    return JSON.parse(stdout) as VerificationReport;
  };

  beforeAll(async () => {
    folder = await makeTempDir();
    data = join(folder.path, 'data');
    made = await makeDataset(configOf(data), { ...options, data }, () => undefined);
  });
  afterAll(() => folder.remove());

  it('has the records and the files that were asked for', () => {
    expect(made.treeSize).toBe(RECORDS);
    // Payload objects for two dates, bundle, checkpoint and full tiles, each with its lock file.
    expect(made.files).toBe(2 * (BUNDLES * 4 + Math.floor(RECORDS / 256)));
    expect(made.initialised.created).toEqual({ admin: undefined, collector: undefined });
  });

  it('verifies, its rows too', async () => {
    // Bundles are sealed by the clock of their records, so no entry of the head log is younger than they are.
    const notices = [{ code: 'head_log_behind' }];
    const whole = { ok: true, tree_size: RECORDS, signed_tree_size: RECORDS, failures: [], notices };
    expect(await verify(join(data, 'archive'))).toMatchObject(whole);
    expect(await verify('--store')).toMatchObject(whole);
  });

  it('is never made over another one', async () => {
    const again = makeDataset(configOf(data), { ...options, data }, () => undefined);
    await expect(again).rejects.toThrow('holds a deployment already');
  });

  it('is measured: its start, its recovery and the filling of its projections', async () => {
    const measured = await measure(configOf(data), { refillRows: true });
    expect(measured.leaves).toBe(RECORDS);
    const { startMs, recoverMs, rows } = measured;
    for (const ms of [startMs, recoverMs, rows!.refillMs]) expect(ms).toBeGreaterThan(0);
    const { archive, raw, random } = measured.sizes;
    // What the run wrote, and the few objects that `init` did.
    expect(archive - made.archiveBytes).toBeGreaterThan(0);
    expect(archive - made.archiveBytes).toBeLessThan(32 * 1024);
    // An id and three digests a record at least, besides frames and headers.
    expect(random).toBeGreaterThan(RECORDS * 4 * 32);
    expect(random).toBeLessThan(archive);
    expect(raw).toBeGreaterThan(random);
    expect(await verify('--store')).toMatchObject({ ok: true });
  });

  it('is gone on with by a server, which knows the ids and the head of the log', async () => {
    const server = await startServer(data);
    expect(await server.sealed()).toBe(RECORDS);
    const body = JSON.stringify({ type: 'dataset.test', session_id: 'after' });
    const answer = await post(server, { path: '/v1/events', contentType: 'application/json', body });
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
    await server.sealed();
    const { data: found } = await getJson<{ data: unknown[] }>(server, '/v1/records?session_id=after');
    expect(found).toHaveLength(1);
    expect(await server.stop()).toBe(0);
    expect(await verify(join(data, 'archive'))).toMatchObject({ ok: true, tree_size: RECORDS + 1 });
  });
});

describe('npm run dataset', () => {
  it('takes a thousand records a bundle where nothing else is said', () => {
    expect(readArguments(['--records', '2500'])).toMatchObject({ records: 2500, bundles: 3, seed: '1' });
    expect(readArguments(['--help'])).toBeUndefined();
  });

  it('measures the log in the folder that is named', () => {
    expect(readMeasureArguments(['--measure', '--data', 'd', '--refill'])).toEqual({
      data: 'd',
      refillRows: true,
    });
    expect(readMeasureArguments(['--records', '5'])).toBeUndefined();
  });

  it.each([
    [[], '--records is missing'],
    [['--records', '10000001'], '--records takes a whole number from 1 to 10000000'],
    [['--records', '10', '--bundles', '11'], '--bundles takes a whole number from 1 to 10'],
    [['--records', '1000000', '--bundles', '2'], 'give more --bundles'],
  ])('refuses %j', (args, reason) => {
    expect(() => readArguments(args)).toThrow(reason);
  });

  it('ends with 2 for arguments that it does not know', () => {
    const args = ['--import', 'tsx', 'test/dataset/main.ts', '--flood'];
    const ended = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain('usage: npm run dataset');
  });
});
