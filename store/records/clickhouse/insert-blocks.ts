import { PipelineError } from '../../../schemas/errors.ts';
import type { RecordRow } from '../record-store.ts';

/** Rows that are inserted together or not at all: one partition, one block of the engine. */
export interface InsertBlock {
  readonly token: string;
  readonly rows: readonly RecordRow[];
}

/** Far below the largest block that the engine writes at once (about a million rows, 256 MiB). */
const MAX_ROWS_PER_BLOCK = 100_000;
/** Characters of leaves and parts in one block. */
const MAX_TEXT_PER_BLOCK = 64 * 1024 * 1024;

/**
 * Cuts rows into blocks. The cut depends on the rows alone, so a replay makes the same blocks with the same tokens: the
 * one that the caller names and the index of the first row.
 */
export function toBlocks(rows: readonly RecordRow[], token: string): InsertBlock[] {
  const groups = new Map<string, RecordRow[]>();
  for (const row of rows) {
    const partition = `${row.integrated_at.slice(0, 7)} ${row.retention_class}`;
    const group = groups.get(partition);
    if (group === undefined) groups.set(partition, [row]);
    else group.push(row);
  }
  const cuts = [...groups.values()].flatMap(cutBySize);
  return cuts.map((cut) => ({ token: `${token}#${cut[0]?.leaf_index ?? 0}`, rows: cut }));
}

function cutBySize(rows: readonly RecordRow[]): RecordRow[][] {
  const cuts: RecordRow[][] = [];
  let text = 0;
  for (const row of rows) {
    const open = cuts.at(-1);
    const size = row.content.length + row.person.length + row.facts.length + row.leaf.length;
    if (open === undefined || open.length >= MAX_ROWS_PER_BLOCK || text + size > MAX_TEXT_PER_BLOCK) {
      cuts.push([row]);
      text = size;
    } else {
      open.push(row);
      text += size;
    }
  }
  return cuts;
}

/** Throws INTERNAL unless the rows follow each other in this log. */
export function requireContiguous(log: string, rows: readonly RecordRow[]): void {
  const first = rows[0]?.leaf_index ?? 0;
  rows.forEach((row, position) => {
    if (row.log === log && row.leaf_index === first + position) return;
    throw new PipelineError('INTERNAL', `row ${row.log}/${row.leaf_index} does not follow in log ${log}`);
  });
}
