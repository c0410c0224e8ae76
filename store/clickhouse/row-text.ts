/** Rows as lines of TabSeparated text, which the engine reads with the least work. Pure. */
import { Facts } from '../../schemas/record.ts';
import type { RecordRow } from '../record-store.ts';

/** All members of a row that are not facts. */
const OWN_COLUMNS = [
  'log',
  'leaf_index',
  'leaf_hash',
  'chain_hash',
  'leaf',
  'id',
  'type',
  'source',
  'principal',
  'subject',
  'retention_class',
  'received_at',
  'integrated_at',
  'facts',
  'facts_salt',
  'content',
  'content_salt',
] as const satisfies readonly Exclude<keyof RecordRow, keyof Facts>[];

/** In the order of a line. */
export const ROW_COLUMNS: readonly (keyof RecordRow)[] = [
  ...OWN_COLUMNS,
  ...(Object.keys(Facts.properties) as (keyof Facts)[]),
];

/** Absent; the engine makes it NULL, or the column's default where that has no NULL. */
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
  if (typeof value !== 'string') return String(value);
  // The claim is kept in the text of facts. Sent as it is, one hostile clock would stop every later insert.
  if (column === 'occurred_at' && !isStorableInstant(value)) return ABSENT;
  return SPECIAL.test(value) ? value.replace(ALL_SPECIAL, (special) => ESCAPES[special] ?? special) : value;
}

/** Nanoseconds since 1970 in 64 bits end in 2262; the engine's calendar begins in 1900. */
function isStorableInstant(text: string): boolean {
  const unixMs = Date.parse(text);
  if (Number.isNaN(unixMs)) return false;
  const instant = new Date(unixMs);
  const year = instant.getUTCFullYear();
  // A day that the month does not have rolls over when parsed here, and is refused by the engine.
  return year >= 1900 && year < 2262 && instant.toISOString().slice(0, 10) === text.slice(0, 10);
}
