import { describe, expect, it } from 'vitest';
import { toRowText } from '../../../../store/records/clickhouse/row-text.ts';
import { ROW_COLUMNS } from '../../../../store/records/record-columns.ts';
import { chdbPlace } from '../../../support/chdb-store.ts';
import { killableBundle } from '../../../support/killable-bundles.ts';

const [row] = killableBundle(0).rows;
const fieldsOf = (text: Buffer) => text.toString().slice(0, -1).split('\t');

describe('rows as text', () => {
  it('have a field for each column of the table that the engine does not compute, and no other', async () => {
    const place = await chdbPlace();
    const store = await place.open();
    const columns = await store.read<{ name: string }>({
      name: 'columns',
      sql: `SELECT name FROM system.columns
WHERE database = currentDatabase() AND table = 'records' AND default_kind = ''`,
      params: {},
    });
    await store.close();
    await place.remove();
    expect(columns.map(({ name }) => name).toSorted()).toEqual([...ROW_COLUMNS].toSorted());
  });

  it('tell what is absent from what is empty, zero or false', () => {
    const without = { ...row! };
    delete without.occurred_at;
    const fields = fieldsOf(toRowText([{ ...without, subject: '', event_sequence: 0, success: false }]));
    const field = (column: string) => fields[(ROW_COLUMNS as readonly string[]).indexOf(column)];
    expect(['occurred_at', 'subject', 'event_sequence', 'success'].map(field)).toEqual([
      '\\N',
      '',
      '0',
      'false',
    ]);
  });

  it('keep separators and escapes inside of a text from ending its field', () => {
    const text = toRowText([{ ...row!, content: 'a\tb\nc\\Nd\re\0' }]).toString();
    expect(text.split('\n')).toHaveLength(2);
    expect(text.split('\t')).toHaveLength(ROW_COLUMNS.length);
    expect(text).toContain('a\\tb\\nc\\\\Nd\\re\\0');
  });

  it('leave out a claimed instant that the column cannot hold', () => {
    const place = ROW_COLUMNS.indexOf('occurred_at');
    for (const occurred_at of ['2262-04-12T00:00:00Z', '1899-12-31T00:00:00Z', '2026-02-31T00:00:00Z'])
      expect(fieldsOf(toRowText([{ ...row!, occurred_at }]))[place]).toBe('\\N');
    const storable = '2026-02-28T00:00:00.123456789Z';
    expect(fieldsOf(toRowText([{ ...row!, occurred_at: storable }]))[place]).toBe(storable);
  });
});
