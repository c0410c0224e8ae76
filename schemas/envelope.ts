import { Type, type Static } from 'typebox';
import { HashHex, InstantUtc, SafeCount } from './primitives.ts';

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

/** Says that marks stand in the body where the client sent secrets. */
export const EnvelopeRedaction = Type.Object(
  {
    count: Type.Integer({ minimum: 1 }),
    types: Type.Array(Type.String(), { description: 'types of secrets, sorted, each once' }),
  },
  { additionalProperties: false },
);
export type EnvelopeRedaction = Static<typeof EnvelopeRedaction>;

/** The collector's own count of its deliveries: gapless within one run of it, so that what is lost leaves a hole. */
export const CollectorRun = Type.Object(
  {
    boot_id: Type.String({ pattern: '^[\\w.:-]{1,128}$' }),
    sequence: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  },
  { additionalProperties: false },
);
export type CollectorRun = Static<typeof CollectorRun>;

/** Everything a receiver knows of a request besides its bytes. */
export const EnvelopeHeader = Type.Object(
  {
    v: Type.Literal(1),
    envelope_id: Type.String({ description: 'random UUID given by the receiver' }),
    source: Type.String({
      pattern: '^[a-z][a-z0-9-]{0,63}$',
      description:
        'name of the source that took the body in; a release knows those of its list, and keeps others in quarantine',
    }),
    receiver: Type.String({ description: 'route that took the request in' }),
    principal: Type.String({ description: 'collector id that the credential stands for' }),
    received_at: InstantUtc,
    content_type: Type.Union([
      Type.Literal('application/json'),
      Type.Literal('application/x-ndjson'),
      Type.Literal('application/x-protobuf'),
      Type.Literal('application/x-www-form-urlencoded'),
    ]),
    item_count: SafeCount,
    idempotency_key: Type.Union([Type.String({ maxLength: 256 }), Type.Null()]),
    partition_key: Type.Optional(
      Type.String({
        description: 'what all its items go by; only where the event log has several partitions',
      }),
    ),
    part: Type.Optional(EnvelopePart),
    redacted: Type.Optional(EnvelopeRedaction),
    collector_run: Type.Optional(CollectorRun),
    event_name: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'what a header called the event, where the body does not say',
      }),
    ),
  },
  { additionalProperties: false },
);
export type EnvelopeHeader = Static<typeof EnvelopeHeader>;

/**
 * One request as received: provenance and the body's own bytes, inflated but otherwise untouched, or, where `part`
 * says so, some of its items, and where `redacted` says so, with marks for secrets. Every receiver makes them; the
 * event log keeps them until their records are sealed.
 */
export interface Envelope extends EnvelopeHeader {
  readonly body: Uint8Array;
}

/** Partition key of the items of one session. No session can be named so that it meets a source's key. */
export function sessionKey(sessionId: string): string {
  return `session:${sessionId}`;
}

/**
 * Partition key of items that belong to no session, or whose session is not known. It does not name the collector: an
 * item that another collector delivers again must come to the same log, which alone recognises the repeat.
 */
export function sourceKey(source: string): string {
  return `source:${source}`;
}

/** Partition key of an event of this program, where its usual partition is parked. */
export function programKey(number: number): string {
  return `program:${String(number)}`;
}

/** The key that keeps an envelope in one partition, in order with the others of its session. */
export function keyOf(envelope: Pick<EnvelopeHeader, 'partition_key' | 'source'>): string {
  return envelope.partition_key ?? sourceKey(envelope.source);
}
