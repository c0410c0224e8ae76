/** Events of this program itself, as envelopes for the event log: they share one order and one trail with all others. */
import { toInstant, type Clock } from '../schemas/clock.ts';
import type { Envelope } from '../schemas/envelope.ts';
import type { NativeEvent } from '../schemas/native-event.ts';

/** Collector id of the program itself; no credential may carry it. */
export const OWN_COLLECTOR = 'affidavit';

export function toOwnEnvelope(
  event: NativeEvent,
  { clock, newId }: { readonly clock: Clock; readonly newId: () => string },
): Envelope {
  return {
    v: 1,
    envelope_id: newId(),
    source: 'native',
    receiver: OWN_COLLECTOR,
    principal: OWN_COLLECTOR,
    received_at: toInstant(clock()),
    content_type: 'application/json',
    item_count: 1,
    idempotency_key: null,
    body: Buffer.from(JSON.stringify(event)),
  };
}
