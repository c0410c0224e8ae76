import type { RecordRow } from '../../store/records/record-store.ts';
import { auditRecord, sealedRows } from './sealed-rows.ts';

const BUNDLE_ROWS = 50;
const model = sealedRows([auditRecord('model', { content: { text: 'words '.repeat(50) } })])[0]!;

/** The bundle that begins at or holds this index, as a ledger would build it again: two classes, hence two parts. */
export function killableBundle(index: number): { rows: RecordRow[]; token: string } {
  const start = index - (index % BUNDLE_ROWS);
  const rows = Array.from({ length: BUNDLE_ROWS }, (_, n) => ({
    ...model,
    leaf_index: start + n,
    id: String(start + n).padStart(64, '0'),
    retention_class: n % 2 === 0 ? 'content' : 'file',
  }));
  return { rows, token: `bundle/${start}` };
}
