import { describe, expect, it } from 'vitest';
import { StatedFacts } from '../../../../schemas/record.ts';
import { createFindings } from '../../../../store/verify/report.ts';
import type { StoredRow } from '../../../../store/records/queries/stored-rows.ts';
import type { RecordRow } from '../../../../store/records/record-store.ts';
import { RowCheck } from '../../../../store/verify/store/row-check.ts';
import { auditRecord, sealedRows } from '../../../support/sealed-rows.ts';

const TYPES = Object.entries(StatedFacts.properties as Record<string, { readonly type?: string }>);

/** What the engine would give back for a row. */
function stored(row: RecordRow, over: Partial<Record<string, string | number | null>> = {}): StoredRow {
  const absent = TYPES.map(([name, { type }]): [string, string | null | string[]] => [
    name,
    type === 'array' ? [] : type === 'integer' || type === 'boolean' || name === 'occurred_at' ? null : '',
  ]);
  return { ...Object.fromEntries(absent), ...row, ...over };
}

function compare(expected: readonly RecordRow[], rows: readonly StoredRow[], signedSize = expected.length) {
  const findings = createFindings();
  const check = new RowCheck({ signedSize, findings });
  check.compare(expected, rows);
  const sealedAt = new Map(expected.map(({ leaf_hash, leaf_index }) => [leaf_hash, leaf_index]));
  const wanted = check.misplacedHashes();
  check.finish(new Map([...sealedAt].filter(([hash]) => wanted.has(hash))));
  return {
    failures: findings.failures().map(({ code, index }) => [code, index]),
    notices: findings.notices().map(({ code, index }) => [code, index]),
  };
}

const claiming = (occurred_at: string) => sealedRows([auditRecord('claim', { facts: { occurred_at } })])[0]!;

describe('comparing rows with what was sealed', () => {
  const rows = sealedRows(
    Array.from({ length: 6 }, (_, n) => auditRecord(`record ${String(n)}`, { content: { n } })),
  );

  it('finds nothing where every row is as it was sealed', () => {
    expect(
      compare(
        rows,
        rows.map((row) => stored(row)),
      ),
    ).toEqual({ failures: [], notices: [] });
  });

  it.each([
    ['2026-03-01T10:00:00Z', '2026-03-01T10:00:00.000000000Z'],
    ['2026-03-01T10:00:00.5Z', '2026-03-01T10:00:00.500000000Z'],
    ['2026-03-01T10:00:00.123456789Z', '2026-03-01T10:00:00.123456789Z'],
    ['1899-12-31T23:59:59Z', null],
    ['2262-01-01T00:00:00Z', null],
    ['2026-02-30T00:00:00Z', null],
    ['2026-01-01T00:00:60Z', null],
  ])('takes a claimed %s that the store holds as %s for the same', (claimed, held) => {
    const row = claiming(claimed);
    expect(compare([row], [stored(row, { occurred_at: held })]).failures).toEqual([]);
  });

  it.each([
    ['2026-03-01T10:00:00.123456789Z', '2026-03-01T10:00:00.123456788Z'],
    ['2026-03-01T10:00:00Z', null],
    ['1899-12-31T23:59:59Z', '1900-01-01T00:00:00.000000000Z'],
  ])('does not take a claimed %s for %s', (claimed, held) => {
    const row = claiming(claimed);
    expect(compare([row], [stored(row, { occurred_at: held })]).failures).toEqual([['row_column_edited', 0]]);
  });

  it('tells a gap that a published checkpoint covers from one that none does', () => {
    const some = rows.filter((_, index) => index !== 2 && index < 4).map((row) => stored(row));
    expect(compare(rows, some, 4)).toEqual({ failures: [['row_missing', 2]], notices: [['store_lag', 4]] });
    expect(compare(rows, some, 5).failures).toEqual([
      ['row_missing', 2],
      ['row_missing_at_end', 4],
    ]);
  });

  it('joins a gap over ranges that are compared one after another', () => {
    const findings = createFindings();
    const check = new RowCheck({ signedSize: 6, findings });
    check.compare(rows.slice(0, 3), [stored(rows[0]!)]);
    check.compare(rows.slice(3), [stored(rows[5]!)]);
    check.finish(new Map());
    expect(findings.failures()).toMatchObject([
      { code: 'row_missing', index: 1, detail: 'rows 1 to 4 are not in the record store' },
    ]);
  });

  it('names an edited row beside the right one', () => {
    const both = rows.flatMap((row) =>
      row.leaf_index === 3 ? [stored(row), stored(row, { reason: 'x' })] : [stored(row)],
    );
    expect(compare(rows, both).failures).toEqual([
      ['row_duplicated', 3],
      ['row_column_edited', 3],
    ]);
  });
});
