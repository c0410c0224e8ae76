import { PipelineError } from '../../schemas/errors.ts';
import type { RecordRow } from '../record-store.ts';

/** Rows that go in together or not at all: one partition, one block. */
export interface InsertUnit {
  readonly token: string;
  readonly rows: readonly RecordRow[];
}

/** Far below the engine's block (about a million rows, 256 MiB), which is the largest thing it writes at once. */
const MAX_ROWS_PER_UNIT = 100_000;
const MAX_TEXT_PER_UNIT = 64 * 1024 * 1024;

/**
 * Cuts a bundle into units. The cut depends on the rows alone, so a replay makes the same units with the same tokens.
 * A bundle that is one unit, which is the rule, keeps the bundle's own token.
 */
export function toUnits(rows: readonly RecordRow[], token: string): InsertUnit[] {
  const groups = new Map<string, RecordRow[]>();
  for (const row of rows) {
    const partition = `${row.integrated_at.slice(0, 7)} ${row.retention_class}`;
    const group = groups.get(partition);
    if (group === undefined) groups.set(partition, [row]);
    else group.push(row);
  }
  const cuts = [...groups.values()].flatMap(cutBySize);
  if (cuts.length === 1) return cuts.map((cut) => ({ token, rows: cut }));
  return cuts.map((cut) => ({ token: `${token}#${cut[0]?.leaf_index ?? 0}`, rows: cut }));
}

function cutBySize(rows: readonly RecordRow[]): RecordRow[][] {
  const cuts: RecordRow[][] = [];
  let text = 0;
  for (const row of rows) {
    const open = cuts.at(-1);
    const size = row.content.length + row.facts.length + row.leaf.length;
    if (open === undefined || open.length >= MAX_ROWS_PER_UNIT || text + size > MAX_TEXT_PER_UNIT) {
      cuts.push([row]);
      text = size;
    } else {
      open.push(row);
      text += size;
    }
  }
  return cuts;
}

/** What stands in an insert: the row itself, but for a claimed instant that the column's type cannot hold. */
export function toInsertable(row: RecordRow): RecordRow {
  if (row.occurred_at === undefined || isStorableInstant(row.occurred_at)) return row;
  // The claim is kept in the text of facts. Sent as it is, one hostile clock would stop every later insert.
  const storable = { ...row };
  delete storable.occurred_at;
  return storable;
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

/** Rows of one bundle follow each other in one log; anything else is a defect of the caller. */
export function requireContiguous(log: string, rows: readonly RecordRow[]): void {
  const first = rows[0]?.leaf_index ?? 0;
  rows.forEach((row, position) => {
    if (row.log === log && row.leaf_index === first + position) return;
    throw new PipelineError('INTERNAL', `row ${row.log}/${row.leaf_index} does not follow in log ${log}`);
  });
}
