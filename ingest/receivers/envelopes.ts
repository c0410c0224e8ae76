import { hash } from 'node:crypto';
import type { ReadBody } from '../../connectors/drafts/source.ts';
import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import { splitBySession } from './split.ts';

export interface StampedBody {
  /** The envelope as it arrived; its body is not looked at. */
  readonly stamp: Omit<EnvelopeHeader, 'partition_key' | 'part'>;
  readonly body: Buffer;
  readonly read: ReadBody;
}

/** One envelope with the client's own bytes, as an event log of one partition takes it. */
export function toEnvelope({ stamp, body, read }: StampedBody): Envelope {
  return { ...stamp, item_count: read.recordCount, body };
}

/**
 * The envelopes of one request, each with the items of one partition key, to be appended together. A body of one key
 * keeps the client's own bytes; of any other body, each envelope has its own id and says which part of the body it
 * holds.
 */
export function toKeyedEnvelopes({ stamp, body, read }: StampedBody, newId: () => string): Envelope[] {
  const keyed = splitBySession({ body, read, source: stamp.source }).map((part): Envelope => ({
    ...stamp,
    item_count: part.recordCount,
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

/** Bytes of the envelopes beyond those of the body, because several of them repeat resource and scope. */
export function repeatedBytes(envelopes: readonly Envelope[], body: Buffer): number {
  const bytes = envelopes.reduce((sum, envelope) => sum + envelope.body.length, 0);
  return Math.max(bytes - body.length, 0);
}
