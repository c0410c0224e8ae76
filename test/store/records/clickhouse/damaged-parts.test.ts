import { readdir, rm, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openEngine } from '../../../../store/records/clickhouse/client.ts';
import { createPartRepair } from '../../../../store/records/clickhouse/damaged-parts.ts';
import { chdbPlace } from '../../../support/chdb-store.ts';
import { killableBundle } from '../../../support/killable-bundles.ts';

const damaged = () => Object.assign(new Error('marks are empty'), { code: '246' });

/** A table that refuses to be loaded as often as it is told, and what it was asked. */
function tableThatRefuses(refusals: number) {
  const asked: string[] = [];
  let isLoaded = true;
  let isDamaged = true;
  const command = vi.fn(({ query }: { readonly query: string }) => {
    asked.push(query);
    if (query.startsWith('DETACH')) isLoaded = false;
    else if ((refusals -= 1) >= 0) return Promise.reject(new Error('no space left on device'));
    else [isLoaded, isDamaged] = [true, false];
    return Promise.resolve({} as never);
  });
  const write = () => {
    if (!isLoaded) return Promise.reject(new Error('no such table'));
    return isDamaged ? Promise.reject(damaged()) : Promise.resolve('written');
  };
  return { client: { command }, write, asked };
}

it('loads the table again where a part is damaged, and writes', async () => {
  const { client, write, asked } = tableThatRefuses(0);
  await expect(createPartRepair(client)(write)).resolves.toBe('written');
  expect(asked).toEqual(['DETACH TABLE records SYNC', 'ATTACH TABLE records']);
});

it('loads a table that the full disk has kept out at the next write', async () => {
  const { client, write, asked } = tableThatRefuses(2);
  const mending = createPartRepair(client);
  await expect(mending(write)).rejects.toThrow('no space left');
  await expect(mending(write)).rejects.toThrow('no space left');
  await expect(mending(write)).resolves.toBe('written');
  expect(asked).toEqual(['DETACH TABLE records SYNC', ...Array<string>(3).fill('ATTACH TABLE records')]);
});

it('leaves every other failure to the caller', async () => {
  const { client, asked } = tableThatRefuses(0);
  const failure = new Error('the disk is full');
  await expect(createPartRepair(client)(() => Promise.reject(failure))).rejects.toBe(failure);
  expect(asked).toEqual([]);
});

/** Files of the newest part whose names match, below `dir`. Parts of `records` begin with the digest of their partition. */
async function filesOfNewestPart(dir: string, names: RegExp): Promise<string[]> {
  const files = (await readdir(dir, { recursive: true })).filter((name) => names.test(name));
  const blockOf = (name: string) => Number(/\/[0-9a-f]{32}_([0-9]+)_/.exec(name)?.[1] ?? -1);
  const last = Math.max(...files.map(blockOf));
  expect(last).toBeGreaterThan(0);
  return files.filter((name) => blockOf(name) === last).map((name) => join(dir, name));
}

async function dropMarkCache(dir: string): Promise<void> {
  const { client } = openEngine({ kind: 'chdb', path: dir });
  await client.command({ query: 'SYSTEM DROP MARK CACHE' });
  await client.close();
}

/** What a full disk leaves behind at times: a part that counts as written, and whose marks are empty. */
async function damageNewestPart(dir: string): Promise<void> {
  for (const file of await filesOfNewestPart(dir, /\.c?mrk[0-9]$/)) await truncate(file, 0);
  await dropMarkCache(dir);
}

/** A folder that was away took a part that was written meanwhile: the engine knows it, and its files are not there. */
async function loseNewestPart(dir: string): Promise<void> {
  const [checksums] = await filesOfNewestPart(dir, /\/checksums\.txt$/);
  await rm(dirname(checksums!), { recursive: true });
  await dropMarkCache(dir);
}

it.each([
  ['a full disk has left a part that cannot be read', damageNewestPart],
  ['the files of a part are gone', loseNewestPart],
])('goes on without a restart when %s', async (_, harm) => {
  const place = await chdbPlace();
  const store = await place.open();
  const plain = (start: number) =>
    killableBundle(start).rows.map((row) => ({ ...row, retention_class: 'content' }));
  await store.insert('p0', plain(0), 'bundle/0');
  await store.insert('p0', plain(50), 'bundle/50');
  await harm(join(place.dir, 'engine'));
  expect(await store.size('p0')).toBe(50);
  await store.insert('p0', plain(50), 'bundle/50');
  expect(await store.size('p0')).toBe(100);
  await store.close();
  await place.remove();
});
