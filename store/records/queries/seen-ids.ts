import type { Query } from '../record-store.ts';

/** The first 40 bits of an id, which is 64 hex digits: the column `id_bits`. */
export function idBitsOf(id: string): number {
  return Number.parseInt(id.slice(0, 10), 16);
}

/** First bits of the ids of the leaves [from_index, to_index), in order. One row: a list of numbers reads fastest. */
export function idBitsOfLeaves(params: {
  readonly log: string;
  readonly from_index: number;
  readonly to_index: number;
}): Query<{ readonly id_bits: readonly number[] }> {
  return {
    name: 'id_bits_of_leaves',
    sql: `SELECT groupArray(id_bits) AS id_bits
FROM
(
    SELECT id_bits
    FROM records
    WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
    ORDER BY log, leaf_index
    LIMIT 1 BY leaf_index
)`,
    params: { log: params.log, from_index: params.from_index, to_index: params.to_index },
  };
}

/** Where ids are among the leaves below an index, and how many rows there are below it. */
export interface IdsBelow {
  readonly row_count: number;
  readonly found: readonly (readonly [id: string, leaf_index: number])[];
}

/**
 * The leaves below `below_index` that have one of these ids. The count of rows shows whether rows are missing; where as many
 * are there twice, recovery and the filling see it, which look at each leaf. The ids travel with the query, so ask for them in portions.
 */
export function idsBelow(params: {
  readonly log: string;
  readonly ids: readonly string[];
  readonly below_index: number;
}): Query<IdsBelow> {
  const below = 'log = {log: String} AND leaf_index < {below_index: UInt64}';
  const isAsked = 'id_bits IN {id_bits: Array(UInt64)} AND id IN {ids: Array(String)}';
  return {
    name: 'ids_below',
    sql: `SELECT
    (SELECT groupArray((id, leaf_index)) FROM records WHERE ${below} AND ${isAsked}) AS found,
    (SELECT count() FROM records WHERE ${below}) AS row_count`,
    params: {
      log: params.log,
      ids: params.ids,
      id_bits: params.ids.map(idBitsOf),
      below_index: params.below_index,
    },
  };
}
