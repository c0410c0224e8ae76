import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { openField } from '../scale/field.ts';
import { mountDisk } from '../support/mounted-disk.ts';
import { kafkaClientOptions, requireSecondClient } from '../support/platformatic-event-log/bundle.ts';
import { openScaleOut, type ScaleOut } from '../support/scale-out.ts';

const disk = await mountDisk(512 * 1024 * 1024);
if (disk === undefined) {
  process.stderr.write(
    'a broker without room is not tested: mounting a tmpfs was refused (it needs root on Linux)\n',
  );
}
const clientOptions = await kafkaClientOptions();
const opened =
  disk === undefined
    ? { skipped: 'no tmpfs' }
    : await openScaleOut({
        partitions: 2,
        brokerParent: disk.path,
        env: { NODE_OPTIONS: clientOptions.join(' ') },
      });
const reason = 'skipped' in opened ? `(skipped: ${opened.skipped})` : '';

describe.skipIf('skipped' in opened)(`a broker whose disk is full ${reason}`, { timeout: 240_000 }, () => {
  const deployment = opened as ScaleOut;
  afterAll(async () => {
    await deployment.dispose();
    await disk!.remove();
  }, 60_000);

  it('acknowledges nothing that it does not keep, and goes on when there is room and it runs again', async () => {
    const field = await openField(deployment, { ingest: 1, sequencers: 1 });
    if (clientOptions.length > 0) requireSecondClient(field);
    const load = field.load(1);
    await load.firstAck;
    await delay(1_000);
    await disk!.fill(0);
    // Appends to open segments go on into pages that are there; then the broker gives its log folder up.
    await delay(5_000);
    const whileFull = field.book.counts().acked;
    await delay(3_000);
    expect(field.book.counts().acked).toBe(whileFull);
    await disk!.free();
    await deployment.broker.kill();
    await deployment.broker.start();
    await delay(3_000);
    await load.stop();
    await field.judge();
    expect(field.book.findings()).toEqual([]);
    expect(field.book.counts()).toMatchObject({ lost: 0, twice: 0, forks: 0, false_alarms: 0 });
    expect(field.book.counts().acked).toBeGreaterThan(whileFull);
    await field.close();
  });
});
