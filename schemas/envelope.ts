import { Type, type Static } from 'typebox';
import { HashHex, InstantUtc, SafeCount } from './primitives.ts';

/** Which wire format a request body is in; the sequencer picks the source connector by it. */
export const EnvelopeSource = Type.Union([
  Type.Literal('claude-code-hook'),
  Type.Literal('otlp-logs'),
  Type.Literal('otlp-metrics'),
  Type.Literal('otlp-traces'),
  Type.Literal('native'),
]);
export type EnvelopeSource = Static<typeof EnvelopeSource>;

/**
 * Says that a body is not the client's own bytes but those of some of its items, put together again because the
 * others go to another partition.
 */
export const EnvelopePart = Type.Object(
  {
    of_sha256: HashHex,
    number: Type.Integer({
      minimum: 1,
      description: 'place among the parts, by first appearance in the body',
    }),
    count: Type.Integer({ minimum: 2 }),
  },
  { additionalProperties: false },
);
export type EnvelopePart = Static<typeof EnvelopePart>;

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
    partition_key: Type.Optional(
      Type.String({
        description: 'what all its items go by; only where the event log has several partitions',
      }),
    ),
    part: Type.Optional(EnvelopePart),
  },
  { additionalProperties: false },
);
export type EnvelopeHeader = Static<typeof EnvelopeHeader>;

/**
 * One request as received: provenance and the body's own bytes, inflated but otherwise untouched, or, where `part`
 * says so, some of its items. Every receiver makes them; the event log keeps them until their records are sealed.
 */
export interface Envelope extends EnvelopeHeader {
  readonly body: Uint8Array;
}

/** Partition key of the items of one session. No session can be named so that it meets a collector's key. */
export function sessionKey(sessionId: string): string {
  return `session:${sessionId}`;
}

/** Partition key of what belongs to no session, or cannot be told to. */
export function collectorKey(principal: string): string {
  return `collector:${principal}`;
}

/** What keeps an envelope in one partition, in order with the others of its session. */
export function keyOf(envelope: Pick<EnvelopeHeader, 'partition_key' | 'principal'>): string {
  return envelope.partition_key ?? collectorKey(envelope.principal);
}
