import { chainOfLeaf } from '../records/queries/leaves.ts';
import type { RecordStore } from '../records/record-store.ts';
import type { Projection } from '../ledger/projection.ts';

/** Version of the rows: it rises when a bundle yields other rows than before. */
const ROWS_VERSION = 1;

/** The rows of the record store as a projection. */
export function createRowsProjection(
  records: Pick<RecordStore, 'insert' | 'size' | 'read' | 'clear'>,
  version = ROWS_VERSION,
): Projection {
  return {
    name: 'rows of the record store',
    version,
    stage: 'publishing',
    size: (log) => records.size(log),
    apply: async (bundle) => records.insert(bundle.log, await bundle.rows(), bundle.key),
    chainAt: async (log, leafIndex) =>
      (await records.read(chainOfLeaf({ log, leaf_index: leafIndex })))[0]?.chain_hash,
    clear: () => records.clear(),
  };
}
