/**
 * What befalls a deployment on real engines while requests come in, and that nothing comes of it: after each fault all
 * that was acknowledged is sealed once, the bucket verifies, and the record store has the same rows.
 */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openField, type Field, type Seat } from '../scale/field.ts';
import { kafkaClientOptions, requireSecondClient } from '../support/platformatic-event-log/bundle.ts';
import { startS3Proxy, type S3Fault, type S3Proxy } from '../support/s3-server-proxy.ts';
import { openScaleOut, readReadiness, type ScaleOut } from '../support/scale-out.ts';
import { makeTempDir } from '../support/server.ts';

const CLOCK_PRELOAD = pathToFileURL(join(import.meta.dirname, '../torture/clock-preload.mjs')).href;
const SESSION_TIMEOUT_MS = 6_000;
const HOUR_MS = 3_600_000;
const AWAY_MS = Number(process.env['TEST_AWAY_MS'] ?? 30_000);

const folder = await makeTempDir();
const clockFile = join(folder.path, 'clock-ahead-ms');
await writeFile(clockFile, '0');
let proxy: S3Proxy | undefined;
const clientOptions = await kafkaClientOptions();
const opened = await openScaleOut({
  partitions: 4,
  sessionTimeoutMs: SESSION_TIMEOUT_MS,
  env: { NODE_OPTIONS: clientOptions.join(' ') },
  before: async (port) => {
    proxy = await startS3Proxy(port);
    return proxy.endpoint;
  },
});
const reason = 'skipped' in opened ? `(skipped: ${opened.skipped})` : '';

const NOTHING_WRONG = { lost: 0, twice: 0, forks: 0, false_alarms: 0 };

describe.skipIf('skipped' in opened)(`a deployment under load ${reason}`, { timeout: 600_000 }, () => {
  const deployment = opened as ScaleOut;
  let field: Field;
  let seed = 0;

  beforeAll(async () => {
    const nodeOptions = [...clientOptions, '--import', CLOCK_PRELOAD].join(' ');
    const sequencerEnv = { NODE_OPTIONS: nodeOptions, TORTURE_CLOCK_FILE: clockFile };
    field = await openField(deployment, { ingest: 1, sequencers: 2, sequencerEnv: () => sequencerEnv });
    if (clientOptions.length > 0) requireSecondClient(field);
  }, 120_000);
  afterEach(() => {
    proxy?.reset();
  });
  afterAll(async () => {
    await field.close();
    await deployment.dispose();
    await proxy?.close();
    await folder.remove();
  }, 60_000);

  const sequencers = (): Seat[] => field.seats.filter(({ role }) => role === 'sequence');

  /** Load, the fault, load after it, then the judgement. */
  async function survive(fault: () => Promise<unknown>): Promise<void> {
    const before = field.book.counts().acked;
    const load = field.load((seed += 1));
    await delay(1_000);
    await fault();
    await delay(1_000);
    await load.stop();
    await field.judge();
    expect(field.book.findings()).toEqual([]);
    expect(field.book.counts()).toMatchObject(NOTHING_WRONG);
    expect(field.book.counts().acked).toBeGreaterThan(before);
  }

  it('goes on where a sequencer is killed', () => survive(() => field.restart(sequencers()[0]!, 'SIGKILL')));

  it('goes on where a sequencer ends as it is asked to', () =>
    survive(() => field.restart(sequencers()[1]!, 'SIGTERM')));

  it('goes on where a sequencer sleeps beyond its session and wakes as one that lost its partitions', () =>
    survive(async () => {
      const [sleeper] = sequencers();
      const had = (await readReadiness(sleeper!.process))?.logs ?? [];
      sleeper!.process.process.kill('SIGSTOP');
      await delay(SESSION_TIMEOUT_MS + 4_000);
      const other = (await readReadiness(sequencers()[1]!.process))?.logs;
      expect(other).toEqual(expect.arrayContaining([...had]));
      sleeper!.process.process.kill('SIGCONT');
    }));

  it('goes on where partitions move to and fro between batches', () =>
    survive(async () => {
      for (let n = 0; n < 3; n += 1) {
        const third = await deployment.start('sequence', 'third');
        await delay(1_500);
        await third.stop('SIGTERM');
      }
    }));

  it('goes on where the broker is restarted', () => survive(() => deployment.broker.restart()));

  it('goes on where the broker loses power', () =>
    survive(async () => {
      await deployment.broker.kill();
      await delay(2_000);
      await deployment.broker.start();
    }));

  const faults: readonly (readonly [string, readonly S3Fault[]])[] = [
    ['is busy', [{ method: 'PUT', how: 503 }]],
    [
      'fails',
      [
        { method: 'PUT', how: 500 },
        { method: 'GET', how: 500 },
      ],
    ],
    ['keeps what it says it did not', [{ method: 'PUT', how: 'status-after' }]],
    ['hangs up before it does a thing', [{ method: 'PUT', how: 'reset-before' }]],
    ['hangs up when it has done it', [{ method: 'PUT', how: 'reset-after' }]],
    ['answers half', [{ method: 'GET', how: 'cut-body' }]],
    ['answers something else', [{ method: 'GET', how: 'flip-body', url: 'bundle' }]],
    ['says nothing', [{ method: 'PUT', how: 'silent-before', times: 3 }]],
  ];
  it.each(faults)('goes on where the bucket %s', async (_what, armed) =>
    survive(async () => {
      for (const fault of armed) proxy!.arm(fault);
      await delay(3_000);
      proxy!.reset();
    }),
  );

  it('goes on where ClickHouse is away for long', () =>
    survive(async () => {
      await deployment.stopClickHouse();
      await delay(AWAY_MS);
      const states = await Promise.all(sequencers().map(({ process }) => readReadiness(process)));
      expect(states.flatMap((state) => state?.reasons ?? [])).toContain('STORE_UNAVAILABLE');
      const api = field.seats.find(({ role }) => role === 'api');
      expect((await readReadiness(api!.process))?.reasons).toEqual(['STORE_UNAVAILABLE']);
      await deployment.startClickHouse();
    }));

  it('brings back what ClickHouse lacks after it was restored from an older copy', () =>
    survive(async () => {
      const copy = join(folder.path, 'clickhouse-copy');
      await deployment.stopClickHouse();
      await cp(deployment.clickhouseDir, copy, { recursive: true });
      await deployment.startClickHouse();
      await delay(4_000);
      await deployment.stopClickHouse();
      await rm(deployment.clickhouseDir, { recursive: true });
      await cp(copy, deployment.clickhouseDir, { recursive: true });
      await deployment.startClickHouse();
    }));

  it('goes on where clocks step by an hour, back and forth, and come back to true time', () =>
    survive(async () => {
      for (const aheadMs of [-HOUR_MS, 0, HOUR_MS, -HOUR_MS, HOUR_MS, 0]) {
        await writeFile(clockFile, String(aheadMs));
        await delay(1_500);
      }
      await field.restart(sequencers()[0]!, 'SIGKILL');
    }));
});
