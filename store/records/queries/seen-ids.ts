import type { Query } from '../record-store.ts';

/** The first 40 bits of the ids of some leaves of one log, in order; one list of parts and one of bits. */
export interface IdBitsOfLeaves {
  readonly parts: readonly number[];
  readonly bits: readonly number[];
}

/** Bits of the ids of the leaves [from_index, to_index). One row: lists of numbers read faster than rows of them. */
export function idBitsOfLeaves(params: {
  readonly log: string;
  readonly from_index: number;
  readonly to_index: number;
}): Query<IdBitsOfLeaves> {
  return {
    name: 'id_bits_of_leaves',
    sql: `SELECT
    groupArray(toUInt8(reinterpretAsUInt8(unhex(substring(id, 1, 2))))) AS parts,
    groupArray(reinterpretAsUInt32(reverse(unhex(substring(id, 3, 8))))) AS bits
FROM
(
    SELECT id
    FROM records
    WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
    ORDER BY log, leaf_index
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
 * The leaves below `below_index` that have one of these ids. The count of rows shows whether the store holds all leaves
 * below it. The ids travel with the query, so ask for them in portions.
 */
export function idsBelow(params: {
  readonly log: string;
  readonly ids: readonly string[];
  readonly below_index: number;
}): Query<IdsBelow> {
  const below = 'log = {log: String} AND leaf_index < {below_index: UInt64}';
  return {
    name: 'ids_below',
    sql: `SELECT
    (SELECT groupArray((id, leaf_index)) FROM records WHERE ${below} AND id IN {ids: Array(String)}) AS found,
    (SELECT count() FROM records WHERE ${below}) AS row_count`,
    params: { log: params.log, ids: params.ids, below_index: params.below_index },
  };
}
