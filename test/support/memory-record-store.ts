import { PipelineError } from '../../schemas/errors.ts';
import type { RecordRow, RecordStore } from '../../store/records/record-store.ts';
import type { FaultPlan } from './faults.ts';
import { answerOfIds, memoryVersions } from './memory-rows.ts';

/** Record store in memory for tests of the commit protocol: rows are dense and written once; it answers the questions of the seen ids alone. */
export function createMemoryRecordStore(faults?: FaultPlan): RecordStore & { readonly rows: RecordRow[] } {
  const rows: RecordRow[] = [];
  const insert = (incoming: readonly RecordRow[]) => {
    for (const row of incoming) {
      if (row.leaf_index < rows.length) continue;
      if (row.leaf_index > rows.length)
        throw new PipelineError('STORE_UNAVAILABLE', `rows from ${String(rows.length)} are missing`);
      rows.push(row);
    }
    return Promise.resolve();
  };
  return {
    rows,
    insert: (_, incoming) =>
      faults === undefined ? insert(incoming) : faults.around('rows', () => insert(incoming)),
    size: () => Promise.resolve(rows.length),
    versions: memoryVersions(),
    read: async (query) => Promise.resolve(answerOfIds(rows, query)),
    clear: () => {
      rows.length = 0;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
