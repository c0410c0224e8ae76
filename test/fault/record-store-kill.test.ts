import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chdbPlace, MIGRATIONS_DIR } from '../support/chdb-store.ts';
import { killableBundle } from '../support/killable-bundles.ts';

let place: Awaited<ReturnType<typeof chdbPlace>>;
beforeAll(async () => {
  place = await chdbPlace();
});
afterAll(() => place.remove());

async function insertUntilKilled(bundles: number): Promise<number> {
  const script = join(import.meta.dirname, '../support/insert-until-killed.ts');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', script, join(place.dir, 'engine'), MIGRATIONS_DIR],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let reported = '';
  for await (const chunk of child.stdout) {
    reported += String(chunk);
    if (reported.split('\n').length > bundles) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return Number(reported.trimEnd().split('\n').at(-1));
}

it('keeps what it reported over kill -9, and a replay completes what was cut off, without doubles', async () => {
  for (let round = 1; round <= 4; round += 1) {
    const reported = await insertUntilKilled(2 * round);
    const store = await place.open();
    const size = await store.size('p0');
    expect(size).toBeGreaterThanOrEqual(reported);
    const { rows, token } = killableBundle(Math.max(0, size - 1));
    await store.insert('p0', rows, token);
    const next = killableBundle(size);
    await store.insert('p0', next.rows, next.token);
    const counts = await store.read({
      name: 'counts',
      sql: 'SELECT count() AS row_count, uniqExact(leaf_index) AS index_count, max(leaf_index) + 1 AS next_index FROM records',
      params: {},
    });
    const whole = await store.size('p0');
    expect(counts).toEqual([{ row_count: whole, index_count: whole, next_index: whole }]);
    expect(whole % 50).toBe(0);
    await store.close();
  }
});
