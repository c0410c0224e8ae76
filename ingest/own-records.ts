/** Records that this program makes while it seals: they state what it did with the event log and with its key. */
import { OWN_COLLECTOR } from '../schemas/native-event.ts';
import type { AuditRecord, Facts } from '../schemas/record.ts';
import type { Surrogates } from './surrogates.ts';

export interface OwnRecordOptions {
  readonly surrogates: Pick<Surrogates, 'recordId' | 'principal'>;
}

export interface OwnRecord {
  readonly type:
    'ingest.counted' | 'event_log.gap' | 'event_log.replaced' | 'key.rotated' | 'generation.begun';
  /** Makes the record's id, together with its type: the same words give the same id. */
  readonly naturalKey: readonly string[];
  readonly received_at: string;
  readonly facts: Omit<Facts, 'source_event' | 'collector'>;
}

export type MakeOwnRecord = (own: OwnRecord) => AuditRecord;

export function createOwnRecords({ surrogates }: OwnRecordOptions): MakeOwnRecord {
  const principal = surrogates.principal(OWN_COLLECTOR);
  return ({ type, naturalKey, received_at, facts }) => ({
    id: surrogates.recordId([type, ...naturalKey]),
    type,
    source: 'affidavit',
    retention_class: 'admin',
    principal,
    subject: null,
    key_owner: null,
    received_at,
    facts: { ...facts, source_event: type, collector: OWN_COLLECTOR },
    person: null,
    content: null,
  });
}
