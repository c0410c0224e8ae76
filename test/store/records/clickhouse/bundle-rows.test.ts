import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countRows } from '../../../../store/records/clickhouse/bundle-rows.ts';
import { openEngine, type Engine } from '../../../../store/records/clickhouse/client.ts';
import { migrate } from '../../../../store/records/clickhouse/migrate.ts';
import { MIGRATIONS_DIR } from '../../../support/chdb-store.ts';

const STRETCH = 100;
const ROWS = 4 * STRETCH + 50;

let dir: string;
let engine: Engine;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'affidavit-count-'));
  engine = openEngine({ kind: 'chdb', path: join(dir, 'engine') });
  await migrate(engine.client, {
    dir: MIGRATIONS_DIR,
    clock: () => Date.UTC(2026, 2, 3),
    cluster: undefined,
  });
  // The engine in process keeps it for all later statements.
  await engine.client.command({ query: `SET max_rows_to_sort = ${String(STRETCH + 10)}` });
}, 60_000);
beforeEach(() => engine.client.command({ query: 'TRUNCATE TABLE records' }));
afterAll(async () => {
  await engine.client.close();
  await rm(dir, { recursive: true });
});

/** Rows of one log with the indexes that `condition` lets through, and of another log beside it. */
async function insert(condition: string, repeats = 'number < 0'): Promise<void> {
  for (const where of [condition, repeats]) {
    await engine.client.command({
      query: `INSERT INTO records (log, leaf_index, retention_class)
SELECT 'p0', number, if(number % 7 = 0, 'file', 'content') FROM numbers(${String(ROWS)}) WHERE ${where}`,
    });
  }
  await engine.client.command({
    query: `INSERT INTO records (log, leaf_index, retention_class) SELECT 'p1', number, 'content' FROM numbers(10)`,
  });
}

describe('the number of rows before the first gap', () => {
  it.each([
    ['is all of them where none is missing', 'true', 'number < 0', ROWS],
    ['is all of them where some come twice', 'true', 'number IN (0, 5, 170)', ROWS],
    ['is none where the first is missing', 'number > 0', 'number < 0', 0],
    ['ends at a gap in the first stretch', 'number != 17', 'number < 0', 17],
    ['ends at a gap in a later stretch', 'number != 350', 'number < 0', 350],
    ['ends at the first row of a stretch', `number != ${String(2 * STRETCH)}`, 'number < 0', 2 * STRETCH],
    ['ends at the last row of a stretch', `number != ${String(STRETCH - 1)}`, 'number < 0', STRETCH - 1],
    [
      'ends where a whole stretch is missing',
      `intDiv(number, ${String(STRETCH)}) != 1`,
      'number < 0',
      STRETCH,
    ],
    ['ends at the gap where more rows come twice', 'number != 300', 'number IN (5, 6)', 300],
    ['ends at the gap where as many rows come twice', 'number NOT IN (300, 301)', 'number IN (5, 6)', 300],
    ['ends at the first of several gaps', 'number NOT IN (170, 60, 350)', 'number = 50', 60],
  ])('%s, and no more than one stretch is sorted', async (_, condition, repeats, expected) => {
    await insert(condition, repeats);
    expect(await countRows(engine.client, 'p0', STRETCH)).toBe(expected);
    expect(await countRows(engine.client, 'p1', STRETCH)).toBe(10);
    expect(await countRows(engine.client, 'p2', STRETCH)).toBe(0);
  });
});
