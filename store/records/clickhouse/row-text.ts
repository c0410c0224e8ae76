/** Rows as lines of TabSeparated text, which the engine reads with the least work. Pure. */
import { LineWriter } from '../../../schemas/line-writer.ts';
import { isStorableInstant, ROW_COLUMNS } from '../record-columns.ts';
import type { RecordRow } from '../record-store.ts';

/** Absent: the engine makes it NULL, or the column's default where the column has no NULL. */
const ABSENT = '\\N';
const CONTROL = /[\t\n\r\0]/;
const ALL_CONTROL = /[\t\n\r\0]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
};

/** One line a row, each member of `ROW_COLUMNS` in its field. */
export function toRowText(rows: readonly RecordRow[]): Buffer {
  const lines = new LineWriter();
  for (const row of rows) {
    let text = '';
    let separator = '';
    for (const column of ROW_COLUMNS) {
      text += separator + toField(row, column);
      separator = '\t';
    }
    lines.add(`${text}\n`);
  }
  return lines.from(0);
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
  // Canonical JSON has backslashes, often many, and no control character.
  const doubled = text.includes('\\') ? text.replaceAll('\\', String.raw`\\`) : text;
  return CONTROL.test(doubled)
    ? doubled.replace(ALL_CONTROL, (control) => ESCAPES[control] ?? control)
    : doubled;
}

/** A text inside a list; the same escapes apply. */
function quoted(text: string): string {
  return `'${escaped(text).replaceAll("'", String.raw`\'`)}'`;
}
