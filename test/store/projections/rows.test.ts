import { describe, expect, it } from 'vitest';
import type { ProjectedBundle } from '../../../store/ledger/projection.ts';
import { createRowsProjection } from '../../../store/projections/rows.ts';
import type { RecordRow } from '../../../store/records/record-store.ts';
import { testLock } from '../../support/ledger.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';
import { auditRecord, sealedRows } from '../../support/sealed-rows.ts';

function setUp() {
  const records = createMemoryRecordStore();
  const inserts: { token: string; indexes: number[] }[] = [];
  const rows = createRowsProjection({
    ...records,
    insert: (log, inserted, token) => {
      inserts.push({ token, indexes: inserted.map(({ leaf_index }) => leaf_index) });
      return records.insert(log, inserted, token);
    },
  });
  return { rows, records, inserts };
}

function bundleOf(rows: readonly RecordRow[]): ProjectedBundle {
  const start_index = rows[0]!.leaf_index;
  const ids = rows.map(({ id }) => id);
  const place = { start_index, tree_size: start_index + rows.length };
  return {
    log: 'p0',
    key: `bundle/${String(start_index)}`,
    ...place,
    ids,
    lock: testLock(),
    leafHashes: rows.map(({ leaf_hash }) => Buffer.from(leaf_hash, 'hex')),
    rows: () => Promise.resolve(rows),
  };
}

const all = sealedRows(Array.from({ length: 6 }, (_, n) => auditRecord(`r${String(n)}`)));
const small = [all.slice(0, 2), all.slice(2, 4), all.slice(4, 6)].map(bundleOf);
const large = bundleOf(all.slice(2, 4).map((row) => ({ ...row, content: 'x'.repeat(10_000) })));

describe('the rows of bundles that are applied together', () => {
  it('are inserted together, under a token that names the last bundle', async () => {
    const { rows, inserts, records } = setUp();
    await rows.apply(small);
    expect(inserts).toEqual([{ token: 'bundle/4 and before', indexes: [0, 1, 2, 3, 4, 5] }]);
    expect(records.rows).toEqual(all);
  });

  it('are inserted under the key of the bundle where it is one', async () => {
    const { rows, inserts } = setUp();
    await rows.apply(small.slice(0, 1));
    expect(inserts).toEqual([{ token: 'bundle/0', indexes: [0, 1] }]);
  });

  it('are inserted alone where the text of a bundle is large, so that an insert is bounded', async () => {
    const { rows, inserts } = setUp();
    await rows.apply([small[0]!, large, small[2]!]);
    expect(inserts.map(({ token }) => token)).toEqual(['bundle/0', 'bundle/2', 'bundle/4']);
    expect(inserts.flatMap(({ indexes }) => indexes)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('are not read before the rows of a large bundle before them are inserted', async () => {
    const { rows, records } = setUp();
    let before = -1;
    const last = { ...small[2]!, rows: () => ((before = records.rows.length), small[2]!.rows()) };
    await rows.apply([small[0]!, large, last]);
    expect(before).toBe(4);
  });
});
