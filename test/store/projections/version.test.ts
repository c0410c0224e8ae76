import { describe, expect, it } from 'vitest';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { createRowsProjection } from '../../../store/projections/rows.ts';
import { settleVersion } from '../../../store/projections/version.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

async function sealed() {
  const store = createMemoryRecordStore();
  const options = await createTestLog({ archive: createMemoryArchive(), records: store });
  const records = [0, 1, 2].map((n) => testRecord(n));
  await appendWhole(await openLedger(options), { records, next_offset: 0n, duplicate_count: 0 });
  return { store, options };
}

describe('the version of a projection', () => {
  it('leaves rows of the same version as they are', async () => {
    const { store } = await sealed();
    await settleVersion(createRowsProjection(store, 1), store.versions);
    expect(store.rows).toHaveLength(3);
  });

  it('clears rows of a lower version, and the log fills them again', async () => {
    const { store, options } = await sealed();
    const before = [...store.rows];
    const rows = createRowsProjection(store, 2);
    await settleVersion(rows, store.versions);
    expect(store.rows).toHaveLength(0);
    await openLedger({ ...options, projections: [rows] });
    expect(store.rows).toEqual(before);
    await settleVersion(rows, store.versions);
    expect(store.rows).toHaveLength(3);
  });

  it('refuses rows of a higher version', async () => {
    const { store } = await sealed();
    await settleVersion(createRowsProjection(store, 3), store.versions);
    await expect(settleVersion(createRowsProjection(store, 2), store.versions)).rejects.toMatchObject({
      code: 'MIGRATION_MISMATCH',
    });
  });

  it('clears again where the process died before the new version was noted', async () => {
    const { store } = await sealed();
    const note = () => Promise.reject(new Error('killed'));
    const dying = settleVersion(createRowsProjection(store, 2), { ...store.versions, note });
    await expect(dying).rejects.toThrow('killed');
    await settleVersion(createRowsProjection(store, 2), store.versions);
    expect(await store.versions.noted('rows of the record store')).toBe(2);
  });
});
