import { Type, type Static } from 'typebox';
import { InstantUtc, SafeCount } from './primitives.ts';

/** Which wire format a request body is in; the sequencer picks the source connector by it. */
export const EnvelopeSource = Type.Union([
  Type.Literal('claude-code-hook'),
  Type.Literal('otlp-logs'),
  Type.Literal('otlp-metrics'),
  Type.Literal('otlp-traces'),
  Type.Literal('native'),
]);
export type EnvelopeSource = Static<typeof EnvelopeSource>;

/** Everything a receiver knows of a request besides its bytes. */
export const EnvelopeHeader = Type.Object(
  {
    v: Type.Literal(1),
    envelope_id: Type.String({ description: 'random UUID given by the receiver' }),
    source: EnvelopeSource,
    receiver: Type.String({ description: 'route that took the request in' }),
    principal: Type.String({ description: 'collector id that the credential stands for' }),
    received_at: InstantUtc,
    content_type: Type.Union([
      Type.Literal('application/json'),
      Type.Literal('application/x-ndjson'),
      Type.Literal('application/x-protobuf'),
    ]),
    item_count: SafeCount,
    idempotency_key: Type.Union([Type.String({ maxLength: 256 }), Type.Null()]),
  },
  { additionalProperties: false },
);
export type EnvelopeHeader = Static<typeof EnvelopeHeader>;

/**
 * One request as received: provenance and the body's own bytes, inflated but otherwise untouched.
 * Every receiver makes them; the event log keeps them until their records are sealed.
 */
export interface Envelope extends EnvelopeHeader {
  readonly body: Uint8Array;
}
