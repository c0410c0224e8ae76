import type { AuditRecord } from '../../schemas/record.ts';
import { sealRecord, type SealedRecord } from '../../store/chain/leaf.ts';
import { LineWriter } from '../../schemas/line-writer.ts';

/** Secrets of frames that are the same in each run. */
export const FRAME_SECRETS = {
  facts: Buffer.alloc(32, 'f'),
  person: Buffer.alloc(32, 'p'),
  content: Buffer.alloc(32, 'c'),
};

/** Seals one record without a bundle around it, under `FRAME_SECRETS`. */
export function sealAlone(record: AuditRecord, index: number, subject: string | null): SealedRecord {
  return sealRecord(record, {
    index,
    subject,
    frameOf: (kind) => ({ secret: FRAME_SECRETS[kind], lines: new LineWriter() }),
    leaves: new LineWriter(),
  });
}
