/** Events of this program itself, as envelopes for the event log: they share one order and one trail with all others. */
import { toInstant, type Clock } from '../schemas/clock.ts';
import type { Envelope } from '../schemas/envelope.ts';
import { OWN_COLLECTOR, type NativeEvent } from '../schemas/native-event.ts';

/** The source that reads the program's own events. */
export const OWN_SOURCE = 'native';

/** @param partitionKey of an event that must not go where the other events of this program go */
export function toOwnEnvelope(
  event: NativeEvent,
  { clock, newId }: { readonly clock: Clock; readonly newId: () => string },
  partitionKey?: string,
): Envelope {
  return {
    v: 1,
    envelope_id: newId(),
    source: OWN_SOURCE,
    receiver: OWN_COLLECTOR,
    principal: OWN_COLLECTOR,
    received_at: toInstant(clock()),
    content_type: 'application/json',
    item_count: 1,
    idempotency_key: null,
    ...(partitionKey === undefined ? {} : { partition_key: partitionKey }),
    body: Buffer.from(JSON.stringify(event)),
  };
}
