import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openEngine } from '../../../../store/records/clickhouse/client.ts';
import { toBlocks } from '../../../../store/records/clickhouse/insert-blocks.ts';
import { chdbPlace } from '../../../support/chdb-store.ts';
import { killableBundle } from '../../../support/killable-bundles.ts';

describe('units of an insert', () => {
  const { rows } = killableBundle(0);

  it('are one where all rows are of one class and month', () => {
    const plain = rows.map((row) => ({ ...row, retention_class: 'content' }));
    expect(toBlocks(plain, 't')).toEqual([{ token: 't#0', rows: plain }]);
  });

  it('are one per class and month, with tokens that a replay makes again', () => {
    const units = toBlocks(rows, 't');
    expect(units.map((unit) => unit.token)).toEqual(['t#0', 't#1']);
    expect(units.map((unit) => new Set(unit.rows.map((row) => row.retention_class)).size)).toEqual([1, 1]);
    expect(toBlocks(rows, 't')).toEqual(units);
  });

  it('stay below the size that the engine writes at once', () => {
    const large = rows.map((row) => ({
      ...row,
      retention_class: 'content',
      content: 'x'.repeat(3_000_000),
    }));
    const units = toBlocks(large, 't');
    expect(units.length).toBeGreaterThan(1);
    expect(units.flatMap((unit) => unit.rows)).toEqual(large);
  });

  it('come back each time that their rows are lost', async () => {
    const place = await chdbPlace();
    for (let loss = 0; loss < 3; loss += 1) {
      const store = await place.open();
      await store.insert('p0', rows, 'bundle/0');
      expect(await store.size('p0')).toBe(50);
      await store.close();
      const { client } = openEngine({ kind: 'chdb', path: join(place.dir, 'engine') });
      await client.command({ query: `DELETE FROM records WHERE leaf_index < 50` });
      await client.close();
    }
    await place.remove();
  });

  it('are counted up to the hole that a lost one leaves, and the replay puts back only that one', async () => {
    const place = await chdbPlace();
    let store = await place.open();
    await store.insert('p0', rows, 'bundle/0');
    const following = killableBundle(50);
    await store.insert('p0', following.rows, following.token);
    await store.close();
    // What a crash between two units leaves behind: the second class of the first bundle was never written.
    const client = openEngine({ kind: 'chdb', path: join(place.dir, 'engine') }).client;
    await client.command({
      query: `DELETE FROM records WHERE leaf_index < 50 AND retention_class = 'file'`,
    });
    await client.close();
    store = await place.open();
    expect(await store.size('p0')).toBe(1);
    // The token of the lost unit is still remembered, so the engine alone would drop it and report success.
    await store.insert('p0', rows, 'bundle/0');
    expect(await store.size('p0')).toBe(100);
    await store.close();
    await place.remove();
  });
});
