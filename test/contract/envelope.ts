import type { Envelope } from '../../schemas/envelope.ts';

/** A native envelope whose id and, unless given, body is `name`. */
export function envelopeOf(name: string, body: Uint8Array = Buffer.from(name)): Envelope {
  return {
    v: 1,
    envelope_id: name,
    source: 'native',
    receiver: '/v1/events',
    principal: 'collector-1',
    received_at: '2026-01-02T03:04:05.678Z',
    content_type: 'application/json',
    item_count: 1,
    idempotency_key: null,
    body,
  };
}
