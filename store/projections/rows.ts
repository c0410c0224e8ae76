import { chainOfLeaf } from '../records/queries/leaves.ts';
import type { RecordRow, RecordStore } from '../records/record-store.ts';
import type { ProjectedBundle, Projection } from '../ledger/projection.ts';

/** Version of the rows: it rises when a bundle yields other rows than before. */
const ROWS_VERSION = 4;
/** A bundle with more characters a row than this is inserted alone, which bounds the memory of an insert. */
const MAX_SHARED_TEXT_PER_ROW = 4_096;

/** Rows that are inserted together. */
interface RowGroup {
  readonly bundles: readonly ProjectedBundle[];
  readonly rows: readonly RecordRow[];
}

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
    apply: async (bundles) => {
      for await (const group of inGroups(bundles)) await insertGroup(records, group);
    },
    chainAt: async (log, leafIndex) =>
      (await records.read(chainOfLeaf({ log, leaf_index: leafIndex })))[0]?.chain_hash,
    clear: () => records.clear(),
  };
}

/** Groups depend on the bundles alone: bundles of little text that follow each other, or one of much. */
async function* inGroups(bundles: readonly ProjectedBundle[]): AsyncGenerator<RowGroup> {
  let shared: { bundles: ProjectedBundle[]; rows: RecordRow[] } = { bundles: [], rows: [] };
  for (const bundle of bundles) {
    const rows = await bundle.rows();
    const isLarge = textOf(rows) > rows.length * MAX_SHARED_TEXT_PER_ROW;
    if (isLarge) {
      if (shared.bundles.length > 0) yield shared;
      shared = { bundles: [], rows: [] };
      yield { bundles: [bundle], rows };
      continue;
    }
    shared.bundles.push(bundle);
    for (const row of rows) shared.rows.push(row);
  }
  if (shared.bundles.length > 0) yield shared;
}

async function insertGroup(records: Pick<RecordStore, 'insert'>, { bundles, rows }: RowGroup): Promise<void> {
  const last = bundles.at(-1);
  if (last === undefined) return;
  await records.insert(last.log, rows, bundles.length === 1 ? last.key : `${last.key} and before`);
}

function textOf(rows: readonly RecordRow[]): number {
  return rows.reduce(
    (sum, { leaf, facts, person, content }) =>
      sum + leaf.length + facts.length + person.length + content.length,
    0,
  );
}
