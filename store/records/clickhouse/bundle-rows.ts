/** Writes the rows of one bundle and finds out which rows are there. */
import type { ClickHouseClient } from '@clickhouse/client';
import { PipelineError } from '../../../schemas/errors.ts';
import { ROW_COLUMNS } from '../record-columns.ts';
import type { RecordRow, StoredEnd } from '../record-store.ts';
import type { Engine } from './client.ts';
import { requireContiguous, toBlocks, type InsertBlock } from './insert-blocks.ts';
import { toRowText } from './row-text.ts';

/** The rows of one bundle and its deduplication token. */
interface BundleRows {
  readonly log: string;
  readonly rows: readonly RecordRow[];
  readonly token: string;
}

/** How often the rows of one bundle may be lost and inserted again; beyond that `rebuild` helps. */
const MAX_LOSSES = 20;
/** Leaves that are looked at together in the search for the first gap of a log. */
const STRETCH_LEAVES = 65_536;

/** Inserts the rows that the store lacks and waits until all are visible. */
export async function insertBundle(engine: Engine, bundle: BundleRows): Promise<void> {
  const { client } = engine;
  const first = bundle.rows[0];
  if (first === undefined) return;
  requireContiguous(bundle.log, bundle.rows);
  const head = await nextIndex(client, bundle.log);
  if (head < first.leaf_index) {
    const missing = `rows ${head} to ${first.leaf_index - 1} of log ${bundle.log} are missing`;
    throw new PipelineError('STORE_UNAVAILABLE', `${missing}; recovery brings them from the archive`);
  }
  const blocks = toBlocks(bundle.rows, bundle.token);
  const present = head === first.leaf_index ? new Set<number>() : await presentIndexes(client, bundle);
  await insertMissing(engine, blocks, present);
  let visible = await presentIndexes(client, bundle);
  // Where somebody deleted rows whose token the engine remembers, it drops the insert and reports success. A concurrent
  // writer of the same bundle derives the same new tokens.
  for (let loss = 1; visible.size < bundle.rows.length && loss <= MAX_LOSSES; loss += 1) {
    const renewed = blocks.map(({ rows, token }) => ({ rows, token: `${token} after loss ${loss}` }));
    await insertMissing(engine, renewed, visible);
    visible = await presentIndexes(client, bundle);
  }
  if (visible.size === bundle.rows.length) return;
  throw new PipelineError(
    'STORE_UNAVAILABLE',
    `rows of log ${bundle.log} are not visible after their insert`,
  );
}

/** A crash between two blocks leaves some of them, each whole or not at all. So rows are compared by position. */
async function insertMissing(
  engine: Engine,
  blocks: readonly InsertBlock[],
  present: ReadonlySet<number>,
): Promise<void> {
  for (const block of blocks) {
    const missing = block.rows.filter((row) => !present.has(row.leaf_index));
    const [first] = missing;
    if (first === undefined) continue;
    const token = missing.length === block.rows.length ? block.token : `${block.token}@${first.leaf_index}`;
    await engine.insertText({ table: 'records', columns: ROW_COLUMNS, text: toRowText(missing), token });
  }
}

/** One past the largest index of a log. Reads the end of the sort order only. */
async function nextIndex(client: ClickHouseClient, log: string): Promise<number> {
  const rows = await ask<{ next_index: number }>(
    client,
    'SELECT leaf_index + 1 AS next_index FROM records WHERE log = {log: String} ORDER BY log DESC, leaf_index DESC LIMIT 1',
    { log },
  );
  return rows[0]?.next_index ?? 0;
}

async function presentIndexes(client: ClickHouseClient, { log, rows }: BundleRows): Promise<Set<number>> {
  const found = await ask<{ leaf_index: number }>(
    client,
    `SELECT leaf_index FROM records
WHERE log = {log: String} AND leaf_index BETWEEN {first: UInt64} AND {last: UInt64}`,
    { log, first: rows[0]?.leaf_index ?? 0, last: rows.at(-1)?.leaf_index ?? 0 },
  );
  return new Set(found.map((row) => row.leaf_index));
}

/** The index behind the last row of each log, in a table of any version. A missing table gives an empty list. */
export async function storedEnds(client: ClickHouseClient): Promise<StoredEnd[]> {
  const [table] = await ask<{ result: number }>(client, 'EXISTS TABLE records', {});
  if (table?.result !== 1) return [];
  return ask<StoredEnd>(
    client,
    'SELECT log, max(leaf_index) + 1 AS next_index FROM records GROUP BY log',
    {},
  );
}

/**
 * Number of rows before the first gap of a log: recovery inserts the rows behind a gap again. A log without gaps, the
 * usual case, costs a set of bits over its indexes and a look at its end. Rows alone must not be counted: as many may be
 * there twice as are missing.
 *
 * @param stretchLeaves leaves that are looked at together in the search for the first gap
 */
export async function countRows(
  client: ClickHouseClient,
  log: string,
  stretchLeaves = STRETCH_LEAVES,
): Promise<number> {
  const counted = await ask<{ leaf_count: number }>(
    client,
    'SELECT groupBitmap(leaf_index) AS leaf_count FROM records WHERE log = {log: String}',
    { log },
  );
  const leafCount = counted[0]?.leaf_count ?? 0;
  if (leafCount === 0 || leafCount === (await nextIndex(client, log))) return leafCount;
  return countUnbroken(client, log, stretchLeaves);
}

/** Reads the indexes once and sorts none but those of one stretch: a long log must not be held in memory. */
async function countUnbroken(client: ClickHouseClient, log: string, size: number): Promise<number> {
  const stretches = await ask<{ whole_count: number }>(
    client,
    `SELECT countIf(stretch = position) AS whole_count
FROM
(
    SELECT stretch, row_number() OVER (ORDER BY stretch) - 1 AS position
    FROM
    (
        SELECT intDiv(leaf_index, {size: UInt64}) AS stretch
        FROM records
        WHERE log = {log: String}
        GROUP BY stretch
        HAVING groupBitmap(leaf_index) = {size: UInt64}
    )
)`,
    { log, size },
  );
  const start = (stretches[0]?.whole_count ?? 0) * size;
  const unbroken = await ask<{ row_count: number }>(
    client,
    `SELECT countIf(leaf_index = position) AS row_count
FROM
(
    SELECT leaf_index, row_number() OVER (ORDER BY leaf_index) - 1 + {start: UInt64} AS position
    FROM
    (
        SELECT DISTINCT leaf_index FROM records
        WHERE log = {log: String} AND leaf_index >= {start: UInt64} AND leaf_index < {start: UInt64} + {size: UInt64}
    )
)`,
    { log, start, size },
  );
  return start + (unbroken[0]?.row_count ?? 0);
}

async function ask<Row>(
  client: ClickHouseClient,
  query: string,
  params: Record<string, string | number>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: params, format: 'JSONEachRow' });
  return result.json<Row>();
}
