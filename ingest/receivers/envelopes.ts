import { hash } from 'node:crypto';
import { splitBySession } from '../../connectors/partition/split.ts';
import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import type { Received } from './reading.ts';

/** What a receiver knows of a request before it has read the body. */
export type Stamp = Omit<EnvelopeHeader, 'item_count' | 'partition_key' | 'part'>;

interface Stamped {
  readonly stamp: Stamp;
  readonly body: Buffer;
  readonly received: Received;
}

/** One envelope with the client's own bytes, as an event log of one partition takes it. */
export function toEnvelope({ stamp, body, received }: Stamped): Envelope {
  return { ...stamp, item_count: received.itemCount, body };
}

/**
 * The envelopes of one request, each with the items of one partition key, to be appended together. A body of one key
 * keeps the client's own bytes; of any other, each envelope says which part of it it is, and has an id of its own.
 */
export function toKeyedEnvelopes({ stamp, body, received }: Stamped, newId: () => string): Envelope[] {
  const { source, content_type, principal } = stamp;
  const parts = splitBySession({
    ...{ source, content_type, principal, body },
    itemCount: received.itemCount,
    quarantinedUnits: received.quarantinedUnits,
    units: received.units,
  });
  const keyed = parts.map((part): Envelope => ({
    ...stamp,
    item_count: part.itemCount,
    partition_key: part.key,
    body: part.body,
  }));
  if (keyed.length === 1) return keyed;
  const of_sha256 = hash('sha256', body, 'hex');
  return keyed.map((envelope, index) => ({
    ...envelope,
    envelope_id: index === 0 ? stamp.envelope_id : newId(),
    part: { of_sha256, number: index + 1, count: keyed.length },
  }));
}

/** What the envelopes hold beyond the body, because resource and scope stand in several of them. */
export function repeatedBytes(envelopes: readonly Envelope[], body: Buffer): number {
  const bytes = envelopes.reduce((sum, envelope) => sum + envelope.body.length, 0);
  return Math.max(bytes - body.length, 0);
}
