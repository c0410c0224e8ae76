import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { openChdbConnection, type TextInsert } from './chdb-connection.ts';

/** Where the engine is: in this process on a data folder of its own, or a server. */
export type StoreConnection =
  | { readonly kind: 'chdb'; readonly path: string }
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly username?: string;
      readonly password?: string;
      readonly database?: string;
      /** Replicas of one table: see `MigrateOptions`. Whoever inserts must always speak with the same one of them. */
      readonly cluster?: string;
    };

/**
 * Settings of every statement. They are the same for all, because the engine in process keeps what a statement sets
 * for the next one; what differs by question stands in the question's own SETTINGS clause.
 */
const SETTINGS = {
  async_insert: 0,
  date_time_input_format: 'best_effort',
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: 0,
  // A member without a column is a defect that must show, not a value to lose.
  input_format_skip_unknown_fields: 0,
  // A field that says it is absent is, also in a column that has no NULL.
  input_format_null_as_default: 1,
} as const;

/** A server answers only when it is sure of the whole answer: a late failure is a failure, not a short list. */
const SERVER_SETTINGS = { ...SETTINGS, wait_end_of_query: 1 } as const;

/** The client would write statements with their values to standard error; what fails is told by its error. */
const LOG = { level: ClickHouseLogLevel.OFF } as const;

/** Longer than any limit a question carries, so that the engine gives up before the connection does. */
const REQUEST_TIMEOUT_MS = 300_000;

/** Statements of all kinds by the client; rows, of which there are many, by the shortest way there is. */
export interface Engine {
  readonly client: ClickHouseClient;
  readonly insertText: (insert: TextInsert) => Promise<void>;
}

/** An engine in process owns its folder: one per process at a time. */
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
