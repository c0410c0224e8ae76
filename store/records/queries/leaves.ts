import { LEAF_HASH_SQL, LEAF_SQL } from './leaf-sql.ts';
import type { Query } from '../record-store.ts';

export interface HashedLeaf {
  readonly leaf_index: number;
  readonly leaf_hash: string;
  readonly chain_hash: string;
}

/** Hashes of the leaves [from_index, to_index) of one log with their chain values, in order; hex. */
export function leafHashes(params: {
  readonly log: string;
  readonly from_index: number;
  readonly to_index: number;
}): Query<HashedLeaf> {
  return {
    name: 'leaf_hashes',
    sql: `SELECT leaf_index, ${LEAF_HASH_SQL} AS leaf_hash, chain_hash
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
ORDER BY log, leaf_index`,
    params: { log: params.log, from_index: params.from_index, to_index: params.to_index },
  };
}

/** Chain value behind one leaf, hex. */
export function chainOfLeaf(params: {
  readonly log: string;
  readonly leaf_index: number;
}): Query<{ readonly chain_hash: string }> {
  return {
    name: 'chain_of_leaf',
    sql: 'SELECT chain_hash FROM records WHERE log = {log: String} AND leaf_index = {leaf_index: UInt64} LIMIT 1',
    params: { log: params.log, leaf_index: params.leaf_index },
  };
}

/** The part of a record that an evidence package carries: the hashed text, facts and person, and the secrets that their salts follow from. */
export interface PackagedRecord {
  readonly log: string;
  readonly leaf_index: number;
  readonly leaf_hash: string;
  readonly id: string;
  readonly leaf: string;
  readonly facts: string;
  readonly facts_secret: string;
  /** '' where the record names nobody. */
  readonly person: string;
  readonly person_secret: string;
}

const PACKAGED_COLUMNS = `log, leaf_index, ${LEAF_HASH_SQL} AS leaf_hash, id, ${LEAF_SQL} AS leaf, facts, facts_secret, person, person_secret`;

/** Records by id, in the order of the log. The ids travel with the query, so ask for them in portions. */
export function recordsForPackage(params: {
  readonly ids: readonly string[];
  readonly log?: string | undefined;
}): Query<PackagedRecord> {
  const scope = params.log === undefined ? '' : 'log = {log: String} AND ';
  return {
    name: 'records_for_package',
    sql: `SELECT ${PACKAGED_COLUMNS}
FROM records
WHERE ${scope}id IN {ids: Array(String)}
ORDER BY log, leaf_index`,
    params: { ids: params.ids, ...(params.log === undefined ? {} : { log: params.log }) },
  };
}

/** Records by leaf index, in order. */
export function leavesByIndex(params: {
  readonly log: string;
  readonly indexes: readonly number[];
}): Query<PackagedRecord> {
  return {
    name: 'leaves_by_index',
    sql: `SELECT ${PACKAGED_COLUMNS}
FROM records
WHERE log = {log: String} AND leaf_index IN {indexes: Array(UInt64)}
ORDER BY log, leaf_index`,
    params: { log: params.log, indexes: params.indexes },
  };
}
