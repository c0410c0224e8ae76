/** Rows as lines of TabSeparated text, which the engine reads with the least work. Pure. */
import { isStorableInstant, ROW_COLUMNS } from '../record-columns.ts';
import type { RecordRow } from '../record-store.ts';

/** Absent: the engine makes it NULL, or the column's default where the column has no NULL. */
const ABSENT = '\\N';
const SPECIAL = /[\\\t\n\r\0]/;
const ALL_SPECIAL = /[\\\t\n\r\0]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
};

/** One line a row, each member of `ROW_COLUMNS` in its field. */
export function toRowText(rows: readonly RecordRow[]): Buffer {
  let text = '';
  for (const row of rows) {
    let separator = '';
    for (const column of ROW_COLUMNS) {
      text += separator + toField(row, column);
      separator = '\t';
    }
    text += '\n';
  }
  return Buffer.from(text);
}

function toField(row: RecordRow, column: keyof RecordRow): string {
  const value = row[column];
  if (value === undefined) return ABSENT;
  if (typeof value === 'object') return `[${value.map(quoted).join(',')}]`;
  if (typeof value !== 'string') return String(value);
  // The claim is kept in the text of facts. Sent to the column, one hostile clock would stop every later insert.
  if (column === 'occurred_at' && !isStorableInstant(value)) return ABSENT;
  return escaped(value);
}

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(ALL_SPECIAL, (special) => ESCAPES[special] ?? special) : text;
}

/** A text inside a list; the same escapes apply. */
function quoted(text: string): string {
  return `'${escaped(text).replaceAll("'", String.raw`\'`)}'`;
}
