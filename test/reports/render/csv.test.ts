import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine } from '../../../reports/render/csv.ts';

/** A reader of RFC 4180 that knows nothing of the writer. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === ',') {
      row.push(cell);
      cell = '';
    } else if (character === '\r' && text[at + 1] === '\n') {
      rows.push([...row, cell]);
      row = [];
      cell = '';
      at += 1;
    } else cell += character;
  }
  return rows;
}

const original = (cell: string) => (cell.startsWith("'") ? cell.slice(1) : cell);

describe('a CSV line', () => {
  it('gives back every text after reading and removing one apostrophe', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[=+\-@'\t\r",\n][=+\-@'\t\r",\nab]*$/),
    );
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { minLength: 1 }), (rows) => {
        const text = rows.map((row) => csvLine(row)).join('');
        expect(readCsv(text).map((row) => row.map(original))).toEqual(rows);
      }),
    );
  });

  it('never lets a spreadsheet see the start of a formula', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const [[cell]] = readCsv(csvLine([text])) as [[string]];
        expect(cell).not.toMatch(/^[=+\-@\t\r]/);
      }),
    );
  });

  it.each([
    [[null, undefined, '', 'x'], ',,,x\r\n'],
    [[1, true, false], '1,true,false\r\n'],
    [[['a', 'b'], []], 'a b,\r\n'],
    [['say "hi", then\r\ngo'], '"say ""hi"", then\r\ngo"\r\n'],
    [['=1+1', '-2', '@x'], "'=1+1,'-2,'@x\r\n"],
    [[['=cmd', 'b']], "'=cmd b\r\n"],
  ])('spells %j as expected', (values, line) => {
    expect(csvLine(values)).toBe(line);
  });
});
