import type { ClickHouseClient } from '@clickhouse/client';
import type { Clock } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { ROW_COLUMNS } from '../record-columns.ts';
import type { Query, ReadLimits, RecordRow, RecordStore } from '../record-store.ts';
import { openEngine, type Engine, type StoreConnection } from './client.ts';
import { createMending, type Mending } from './damaged-parts.ts';
import { toPipelineError, type EngineStep } from './engine-errors.ts';
import { requireContiguous, toUnits, type InsertUnit } from './insert-units.ts';
import { dropSchema, migrate, requireMigrated, type MigrateOptions } from './migrate.ts';
import { toRowText } from './row-text.ts';

export interface RecordStoreOptions {
  readonly connection: StoreConnection;
  /** Folder of the numbered .sql files. */
  readonly migrationsDir: string;
  readonly clock: Clock;
  /** Whether the schema is brought up to date; else it must be so already. @default true */
  readonly mayMigrate?: boolean;
  /** Bounds of a read that names none of its own. */
  readonly limits: Required<ReadLimits>;
  /** For `rebuild` alone: drop what is there, whatever its schema, before the migrations run. */
  readonly recreate?: boolean;
}

/**
 * The record store on ClickHouse, in process (chDB) or on a server: one SQL for both.
 * Rows come in by `insert` in the order of the log; questions go out by `read`. The one invariant: for every log, leaf
 * indexes are 0 to size-1, each once.
 *
 * Throws MIGRATION_MISMATCH where the schema is not of this version, STORE_UNAVAILABLE where a server does not answer,
 * START_REFUSED where the engine in process does not open its folder.
 */
export async function openRecordStore(options: RecordStoreOptions): Promise<RecordStore> {
  const engine = openOrRefuse(options.connection);
  const { client } = engine;
  try {
    await guarded('write', 'prepare the schema', async () => {
      if (options.recreate === true) await dropSchema(client, schemaOf(options).cluster);
      if (options.mayMigrate === false) await requireMigrated(client, schemaOf(options));
      else await migrate(client, schemaOf(options));
    });
  } catch (error) {
    // An engine in process is bound to its folder until it is closed; a refused start must let go of it.
    await client.close();
    throw error;
  }
  return buildStore(engine, options);
}

function schemaOf({ connection, migrationsDir: dir, clock }: RecordStoreOptions): MigrateOptions {
  return { dir, clock, cluster: connection.kind === 'server' ? connection.cluster : undefined };
}

function openOrRefuse(connection: StoreConnection): Engine {
  try {
    return openEngine(connection);
  } catch (cause) {
    if (connection.kind !== 'chdb') throw toPipelineError(cause, 'write', 'open the record store');
    const detail = `the record store in ${connection.path} does not open; most likely another process has it in use`;
    throw new PipelineError('START_REFUSED', detail, { cause });
  }
}

function buildStore(engine: Engine, options: RecordStoreOptions): RecordStore {
  const { client } = engine;
  const running = new Set<Promise<unknown>>();
  let lastWrite: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;

  // Closing the engine under a running statement would take the process down with it.
  const run = <T>(step: EngineStep, attempted: string, work: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) {
      return Promise.reject(new PipelineError('STORE_UNAVAILABLE', `${attempted}: the store is closed`));
    }
    const result = guarded(step, attempted, work);
    const settled = result.catch(() => undefined).finally(() => running.delete(settled));
    running.add(settled);
    return result;
  };

  // A write looks at what is there before it adds to it, so writes take turns.
  const inTurn = <T>(attempted: string, work: () => Promise<T>): Promise<T> => {
    const turn = lastWrite.then(() => run('write', attempted, work));
    lastWrite = turn.catch(() => undefined);
    return turn;
  };

  // A server mends its parts itself.
  const mending: Mending = options.connection.kind === 'chdb' ? createMending(client) : (write) => write();

  return {
    insert: (log, rows, token) =>
      inTurn(`insert rows of log ${log}`, () => mending(() => insertBundle(engine, { log, rows, token }))),
    size: (log) => inTurn(`count rows of log ${log}`, () => mending(() => countRows(client, log))),
    read: (query, limits) =>
      run('read', `query ${query.name}`, () => select(client, query, { ...options.limits, ...limits })),
    clear: () =>
      inTurn('clear the record store', async () => {
        // Tables go and come back: the tokens of past inserts go with them and cannot block the rebuild's inserts.
        await dropSchema(client, schemaOf(options).cluster);
        await migrate(client, schemaOf(options));
      }),
    close: () => {
      closing ??= lastWrite.then(() => Promise.all(running)).then(() => client.close());
      return closing;
    },
  };
}

async function guarded<T>(step: EngineStep, attempted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toPipelineError(error, step, attempted);
  }
}

/**
 * A question as one SELECT under its limits. `readonly` and the limits stand in the statement's own clause, which the
 * engine forgets with the statement.
 */
async function select<Row>(
  client: ClickHouseClient,
  query: Query<Row>,
  limits: Required<ReadLimits>,
): Promise<Row[]> {
  const seconds = Math.max(1, Math.trunc(limits.maxExecutionMs)) / 1000;
  const rows = Math.max(1, Math.trunc(limits.maxRowsToRead));
  const result = await client.query({
    query: `${query.sql}\nSETTINGS readonly = 1, max_execution_time = ${seconds}, max_rows_to_read = ${rows}`,
    query_params: { ...query.params },
    format: 'JSONEachRow',
  });
  return result.json<Row>();
}

interface Bundle {
  readonly log: string;
  readonly rows: readonly RecordRow[];
  readonly token: string;
}

/** How often the rows of one bundle may be lost and brought back; beyond that `rebuild` helps. */
const MAX_LOSSES = 20;

async function insertBundle(engine: Engine, bundle: Bundle): Promise<void> {
  const { client } = engine;
  const first = bundle.rows[0];
  if (first === undefined) return;
  requireContiguous(bundle.log, bundle.rows);
  const head = await nextIndex(client, bundle.log);
  if (head < first.leaf_index) {
    const missing = `rows ${head} to ${first.leaf_index - 1} of log ${bundle.log} are missing`;
    throw new PipelineError('STORE_UNAVAILABLE', `${missing}; recovery brings them from the archive`);
  }
  const units = toUnits(bundle.rows, bundle.token);
  const present = head === first.leaf_index ? new Set<number>() : await presentIndexes(client, bundle);
  await insertMissing(engine, units, present);
  let visible = await presentIndexes(client, bundle);
  // A remembered token whose rows somebody deleted makes the engine drop the insert and report success. Whoever else
  // inserts this bundle now takes the same new tokens.
  for (let loss = 1; visible.size < bundle.rows.length && loss <= MAX_LOSSES; loss += 1) {
    const renewed = units.map((unit) => ({ ...unit, token: `${unit.token} after loss ${loss}` }));
    await insertMissing(engine, renewed, visible);
    visible = await presentIndexes(client, bundle);
  }
  if (visible.size === bundle.rows.length) return;
  throw new PipelineError(
    'STORE_UNAVAILABLE',
    `rows of log ${bundle.log} are not visible after their insert`,
  );
}

/** A crash between two units leaves some of them: each is there whole or not at all, and is judged by position. */
async function insertMissing(
  engine: Engine,
  units: readonly InsertUnit[],
  present: ReadonlySet<number>,
): Promise<void> {
  for (const unit of units) {
    const missing = unit.rows.filter((row) => !present.has(row.leaf_index));
    const [first] = missing;
    if (first === undefined) continue;
    const token = missing.length === unit.rows.length ? unit.token : `${unit.token}@${first.leaf_index}`;
    await engine.insertText({ table: 'records', columns: ROW_COLUMNS, text: toRowText(missing), token });
  }
}

/** One past the largest index of a log; reads the end of the sort order only. */
async function nextIndex(client: ClickHouseClient, log: string): Promise<number> {
  const rows = await ask<{ next_index: number }>(
    client,
    'SELECT leaf_index + 1 AS next_index FROM records WHERE log = {log: String} ORDER BY log DESC, leaf_index DESC LIMIT 1',
    { log },
  );
  return rows[0]?.next_index ?? 0;
}

async function presentIndexes(client: ClickHouseClient, { log, rows }: Bundle): Promise<Set<number>> {
  const found = await ask<{ leaf_index: number }>(
    client,
    `SELECT leaf_index FROM records
WHERE log = {log: String} AND leaf_index BETWEEN {first: UInt64} AND {last: UInt64}`,
    { log, first: rows[0]?.leaf_index ?? 0, last: rows.at(-1)?.leaf_index ?? 0 },
  );
  return new Set(found.map((row) => row.leaf_index));
}

/** Rows of a log without a hole before them: what a crash left behind a hole is to be inserted again. */
async function countRows(client: ClickHouseClient, log: string): Promise<number> {
  const counted = await ask<{ row_count: number; next_index: number }>(
    client,
    'SELECT count() AS row_count, max(leaf_index) + 1 AS next_index FROM records WHERE log = {log: String}',
    { log },
  );
  const { row_count: rowCount, next_index: next } = counted[0] ?? { row_count: 0, next_index: 0 };
  if (rowCount === 0 || rowCount === next) return rowCount;
  const unbroken = await ask<{ row_count: number }>(
    client,
    `SELECT countIf(leaf_index = position) AS row_count
FROM
(
    SELECT leaf_index, row_number() OVER (ORDER BY leaf_index) - 1 AS position
    FROM (SELECT DISTINCT leaf_index FROM records WHERE log = {log: String})
)`,
    { log },
  );
  return unbroken[0]?.row_count ?? 0;
}

async function ask<Row>(
  client: ClickHouseClient,
  query: string,
  params: Record<string, string | number>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: params, format: 'JSONEachRow' });
  return result.json<Row>();
}
