/** What is sealed in a run: tiny records that are known by a number, and the envelopes that carry them. */
import type { Normalise } from '../../ingest/normalise.ts';
import { createOwnRecords } from '../../ingest/own-records.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';

const RECEIVED_AT = '2026-11-21T08:59:59.000Z';
export const RECEIVED_MS = Date.parse(RECEIVED_AT);
/** No clock may be further ahead of a record and of the bundle before it. */
export const MAX_CLOCK_AHEAD_MS = 31 * 24 * 3_600_000;
const PRINCIPAL = '0'.repeat(32);
/** Keyed hash of one of seven persons. */
const ownerOf = (n: number) => sha256Hex(`person ${n % 7}`);
const known = new Map<number, AuditRecord>();
const numbers = new Map<string, number>();

/** Every fifth has another retention class, so that some bundles go into the record store in two units. */
export function recordOf(n: number): AuditRecord {
  const record = known.get(n) ?? {
    id: sha256Hex(`record ${n}`),
    type: 'event.observed',
    source: 'hook' as const,
    retention_class: n % 5 === 4 ? 'file' : 'content',
    principal: PRINCIPAL,
    subject: null,
    key_owner: n % 2 === 0 ? null : ownerOf(n),
    received_at: RECEIVED_AT,
    facts: { source_event: `Event${n}`, collector: 'workstation' },
    person: n % 2 === 0 ? null : { claimed_user: `person ${n % 7}` },
    content: n % 3 === 0 ? null : { text: `content of ${n}` },
  };
  known.set(n, record);
  numbers.set(record.id, n);
  return record;
}

/** Undefined for an id that no record of any run has. */
export function numberOf(id: string): number | undefined {
  return numbers.get(id);
}

export function envelopeOf(records: readonly number[]): Envelope {
  return {
    v: 1,
    envelope_id: 'envelope',
    source: 'native',
    receiver: '/v1/events',
    principal: 'workstation',
    received_at: RECEIVED_AT,
    content_type: 'application/json',
    item_count: records.length,
    idempotency_key: null,
    body: Buffer.from(JSON.stringify(records)),
  };
}

/** Records that the sequencer makes itself. They have no number. */
export const ownRecord = createOwnRecords({
  surrogates: { recordId: (parts) => sha256Hex(JSON.stringify(parts)), principal: () => PRINCIPAL },
});

const normalise: Normalise = ({ body }) => ({
  records: (JSON.parse(Buffer.from(body).toString()) as number[]).map(recordOf),
  quarantinedCount: 0,
  plainLength: body.length,
});

/** A release with a defect: it makes of some envelopes records that are not of their schema. */
const normaliseFaultily: Normalise = (envelope) => {
  const { records, ...others } = normalise(envelope);
  return { ...others, records: records.map(spoil) };
};

export function normaliserOf({ isFaulty }: { readonly isFaulty: boolean }): Normalise {
  return isFaulty ? normaliseFaultily : normalise;
}

function spoil(record: AuditRecord): AuditRecord {
  const kind = (numberOf(record.id) ?? 0) % 4;
  if (kind === 1) return { ...record, received_at: 'yesterday' };
  if (kind === 2) return { ...record, facts: { ...record.facts, duration_ms: -1 } };
  return record;
}
