import { PipelineError } from '../../schemas/errors.ts';
import type { ProjectionVersions, Query, RecordRow } from '../../store/records/record-store.ts';
import { idBitsOf } from '../../store/records/queries/seen-ids.ts';

type Placed = Pick<RecordRow, 'log' | 'leaf_index' | 'id' | 'chain_hash'>;

/** The questions of sealing, answered from rows in memory as the SQL answers them. No other question is known. */
export function answerOfIds<Row>(rows: readonly Placed[], { name, params }: Query<Row>): Row[] {
  const { log, from_index, to_index, below_index, leaf_index, ids } = params as unknown as IdParams;
  const within = (from: number, to: number) =>
    rows
      .filter((row) => row.log === log && row.leaf_index >= from && row.leaf_index < to)
      .sort((a, b) => a.leaf_index - b.leaf_index);
  if (name === 'id_bits_of_leaves') {
    const once = new Map(
      within(from_index, to_index).map(({ leaf_index, id }) => [leaf_index, idBitsOf(id)]),
    );
    return [{ id_bits: [...once.values()] }] as Row[];
  }
  if (name === 'chain_of_leaf')
    return within(leaf_index, leaf_index + 1).map(({ chain_hash }) => ({ chain_hash })) as Row[];
  if (name === 'ids_below') {
    const below = within(0, below_index);
    const found = below.filter(({ id }) => ids.includes(id)).map(({ id, leaf_index }) => [id, leaf_index]);
    return [{ row_count: below.length, found }] as Row[];
  }
  throw new PipelineError('STORE_UNAVAILABLE', `the rows in memory do not answer ${name}`);
}

interface IdParams {
  readonly log: string;
  readonly from_index: number;
  readonly to_index: number;
  readonly below_index: number;
  readonly leaf_index: number;
  readonly ids: readonly string[];
}

/** Versions in memory. */
export function memoryVersions(): ProjectionVersions {
  const noted = new Map<string, number>();
  return {
    noted: (name) => Promise.resolve(noted.get(name)),
    note: (name, version) => Promise.resolve(void noted.set(name, version)),
  };
}
