import { LEAF_HASH_SQL, LEAF_SQL } from './leaf-sql.ts';
import { ROW_COLUMNS } from '../record-columns.ts';
import type { Query } from '../record-store.ts';

export type StoredValue = string | number | boolean | null | readonly string[];

/** A row as the record store holds it now: texts unchanged, instants as RFC 3339 text in UTC. */
export interface StoredRow extends Readonly<Record<string, StoredValue>> {
  readonly leaf_index: number;
  readonly leaf_hash: string;
  readonly chain_hash: string;
  readonly leaf: string;
  readonly facts: string;
  readonly facts_secret: string;
  readonly person: string;
  readonly person_secret: string;
  readonly content: string;
  readonly content_secret: string;
}

/** Enough to show that an index is repeated. Without the bound, many repeats would make one read large. */
const MAX_ROWS_PER_INDEX = 3;

/** All columns of the rows [from_index, to_index) of one log, in order; of a repeated index only the first rows. */
export function storedRows(params: {
  readonly log: string;
  readonly from_index: number;
  readonly to_index: number;
}): Query<StoredRow> {
  return {
    name: 'stored_rows',
    sql: `SELECT ${ROW_COLUMNS.join(', ')}, ${LEAF_SQL} AS leaf, ${LEAF_HASH_SQL} AS leaf_hash
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
ORDER BY log, leaf_index
LIMIT ${String(MAX_ROWS_PER_INDEX)} BY leaf_index`,
    params: { log: params.log, from_index: params.from_index, to_index: params.to_index },
  };
}

/** The rows of one log at or beyond an index, as a count. */
export interface StoredTail {
  readonly log: string;
  readonly row_count: number;
  readonly first_index: number;
}

/** Counts the rows of one log at or beyond an index; no row where there are none. */
export function storedTail(params: { readonly log: string; readonly from_index: number }): Query<StoredTail> {
  return {
    name: 'stored_tail',
    sql: `SELECT log, count() AS row_count, min(leaf_index) AS first_index
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64}
GROUP BY log`,
    params: { log: params.log, from_index: params.from_index },
  };
}

/** Counts the rows of every log other than these. */
export function storedElsewhere(params: { readonly logs: readonly string[] }): Query<StoredTail> {
  return {
    name: 'stored_elsewhere',
    sql: `SELECT log, count() AS row_count, min(leaf_index) AS first_index
FROM records
WHERE NOT has({logs: Array(String)}, log)
GROUP BY log
ORDER BY log
LIMIT 1000`,
    params: { logs: [...params.logs] },
  };
}
