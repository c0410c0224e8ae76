import { readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openEngine } from '../../../store/clickhouse/client.ts';
import { chdbPlace } from '../../support/chdb-store.ts';
import { killableBundle } from '../../support/killable-bundles.ts';

/** What a full disk leaves behind at times: a part that counts as written, and whose marks are empty. */
async function damageNewestPart(dir: string): Promise<void> {
  const files = (await readdir(dir, { recursive: true })).filter((name) => /\.c?mrk[0-9]$/.test(name));
  const newest = files.filter((name) => name.includes('_2_2_0/'));
  expect(newest.length).toBeGreaterThan(0);
  for (const name of newest) await truncate(join(dir, name), 0);
  const { client } = openEngine({ kind: 'chdb', path: dir });
  await client.command({ query: 'SYSTEM DROP MARK CACHE' });
  await client.close();
}

it('goes on without a restart when a full disk has left a part that cannot be read', async () => {
  const place = await chdbPlace();
  const store = await place.open();
  const plain = (start: number) =>
    killableBundle(start).rows.map((row) => ({ ...row, retention_class: 'standard' }));
  await store.insert('p0', plain(0), 'bundle/0');
  await store.insert('p0', plain(50), 'bundle/50');
  await damageNewestPart(join(place.dir, 'engine'));
  expect(await store.size('p0')).toBe(50);
  await store.insert('p0', plain(50), 'bundle/50');
  expect(await store.size('p0')).toBe(100);
  await store.close();
  await place.remove();
});
