import type { ClickHouseClient } from '@clickhouse/client';
import type { Clock } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import type { BeforeDrop, Query, ReadLimits, RecordStore } from '../record-store.ts';
import { countRows, insertBundle, storedEnds } from './bundle-rows.ts';
import { openEngine, type Engine, type StoreConnection } from './client.ts';
import { createPartRepair, type PartRepair } from './damaged-parts.ts';
import { toPipelineError } from './engine-errors.ts';
import { dropSchema, migrate, requireMigrated, type MigrateOptions } from './migrate.ts';
import { createProjectionVersions } from './projection-versions.ts';
import { guarded, Statements } from './statements.ts';

export interface RecordStoreOptions {
  readonly connection: StoreConnection;
  /** Folder of the numbered .sql files. */
  readonly migrationsDir: string;
  readonly clock: Clock;
  /** Whether migrations run at the start. If false, a schema that is not up to date is refused. @default true */
  readonly mayMigrate?: boolean;
  /** Bounds of a read that names none. */
  readonly limits: Required<ReadLimits>;
  /** For `rebuild` alone: drops all tables, whatever their schema, before the migrations run. */
  readonly recreate?: boolean;
  /** Asked before `recreate` drops anything. Where it rejects, all stays. */
  readonly beforeDrop?: BeforeDrop | undefined;
}

/**
 * The record store on ClickHouse, in process (chDB) or on a server: one SQL for both.
 * In: rows in the order of the log, and queries. Out: rows of answers. The one invariant: for every log, leaf indexes are
 * 0 to size-1, each once.
 *
 * Throws MIGRATION_MISMATCH where the schema is not of this version, STORE_UNAVAILABLE where a server does not answer,
 * START_REFUSED where the engine in process does not open its folder.
 */
export async function openRecordStore(options: RecordStoreOptions): Promise<RecordStore> {
  const engine = openOrRefuse(options.connection);
  const { client } = engine;
  try {
    await guarded('write', 'prepare the schema', async () => {
      if (options.recreate === true) await options.beforeDrop?.(() => storedEnds(client));
      if (options.recreate === true) await dropSchema(client, schemaOf(options).cluster);
      if (options.mayMigrate === false) await requireMigrated(client, schemaOf(options));
      else await migrate(client, schemaOf(options));
    });
  } catch (error) {
    // An engine in process locks its folder until it is closed, also after a refused start.
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
  const statements = new Statements();
  // A server repairs its parts itself.
  const repairing: PartRepair =
    options.connection.kind === 'chdb' ? createPartRepair(client) : (write) => write();

  return {
    versions: createProjectionVersions(client, statements, options.clock),
    insert: (log, rows, token) =>
      statements.inTurn(`insert rows of log ${log}`, () =>
        repairing(() => insertBundle(engine, { log, rows, token })),
      ),
    size: (log) =>
      statements.inTurn(`count rows of log ${log}`, () => repairing(() => countRows(client, log))),
    read: (query, limits) =>
      statements.run('read', `query ${query.name}`, () =>
        select(client, query, { ...options.limits, ...limits }),
      ),
    clear: () =>
      statements.inTurn('clear the record store', async () => {
        // Dropping the tables drops the tokens of past inserts, which would block the inserts of the rebuild.
        await dropSchema(client, schemaOf(options).cluster);
        await migrate(client, schemaOf(options));
      }),
    close: () => statements.close(() => client.close()),
  };
}

/**
 * Runs a query as one SELECT under its limits. `readonly` and the limits are in the SETTINGS clause of the statement, so
 * that the engine forgets them after it.
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
