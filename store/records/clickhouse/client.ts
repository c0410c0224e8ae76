import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { openChdbConnection, type TextInsert } from './chdb-connection.ts';

/** Where the engine is: in this process on a data folder, or a server. */
export type StoreConnection =
  | { readonly kind: 'chdb'; readonly path: string }
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly username?: string;
      readonly password?: string;
      readonly database?: string;
      /** Replicas of one table: see `MigrateOptions`. A writer must always use the same replica. */
      readonly cluster?: string;
    };

/**
 * Settings of every statement. They are the same for all, because the engine in process keeps the settings of a statement
 * for the next one. Settings of a single query are in its SETTINGS clause.
 */
const SETTINGS = {
  async_insert: 0,
  date_time_input_format: 'best_effort',
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: 0,
  // A member without a column is a defect that must fail, and not a value to drop.
  input_format_skip_unknown_fields: 0,
  // An absent field becomes the column's default where the column has no NULL.
  input_format_null_as_default: 1,
} as const;

/** The server sends an answer only when it is whole, so that a late failure is not taken for a short list. */
const SERVER_SETTINGS = { ...SETTINGS, wait_end_of_query: 1 } as const;

/** The client's log would write statements with their values to standard error. Failures are reported by errors. */
const LOG = { level: ClickHouseLogLevel.OFF } as const;

/** Longer than the limit of any query, so that the engine gives up before the connection does. */
const REQUEST_TIMEOUT_MS = 300_000;

/** An open engine. `insertText` is the fast path for rows; `client` runs all other statements. */
export interface Engine {
  readonly client: ClickHouseClient;
  readonly insertText: (insert: TextInsert) => Promise<void>;
}

/** An engine in process owns its folder: open one per process at a time. */
export function openEngine(connection: StoreConnection): Engine {
  return connection.kind === 'chdb' ? openInProcess(connection.path) : openServer(connection);
}

function openInProcess(path: string): Engine {
  const { connection, insertText } = openChdbConnection(path, SETTINGS);
  return { client: createClient({ connection, clickhouse_settings: SETTINGS, log: LOG }), insertText };
}

function openServer({ url, username, password, database }: StoreConnection & { kind: 'server' }): Engine {
  const client = createClient({
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    request_timeout: REQUEST_TIMEOUT_MS,
    clickhouse_settings: SERVER_SETTINGS,
    log: LOG,
  });
  return {
    client,
    async insertText({ table, columns, text, token }) {
      await client.insert({
        table,
        columns: columns as [string, ...string[]],
        format: 'TabSeparated',
        values: Readable.from([text], { objectMode: false }),
        clickhouse_settings: { insert_deduplication_token: token },
      });
    },
  };
}
