import type { ReadBody } from '../../connectors/drafts/source.ts';
import { divide, UnitSequence } from '../../connectors/wire/pieces.ts';
import { sessionKey, sourceKey } from '../../schemas/envelope.ts';

/** A body as its source has read it. */
export interface BodyToSplit {
  readonly body: Buffer;
  readonly read: ReadBody;
  /** Name of the source that took the body in. */
  readonly source: string;
}

/** The part of a body that belongs to one key. */
export interface BodyPart {
  readonly key: string;
  readonly body: Buffer;
  readonly recordCount: number;
}

/**
 * Bytes that the parts of one body may have beyond the body, because they repeat resource and scope. Small enough for
 * one append and for the memory of a receiver.
 */
export const MAX_REPEATED_BYTES = 16 * 1024 * 1024;

/**
 * Splits a body by session, so that each item gets the same key in any grouping. The key is the session of the item's
 * records, or the source if the item has no session or will be quarantined. Parts come in the order in which their
 * keys first appear; the items of a part keep their order and their own bytes. Each part repeats the resource, scope,
 * metric and unknown members around its items.
 *
 * A body of one key is its only part, the same buffer. A body stays whole, under its source's key, if it will be
 * quarantined as a whole, if its parts would repeat more than MAX_REPEATED_BYTES, or if the numbers of its pieces and
 * items differ.
 *
 * Pure; throws nothing.
 */
export function splitBySession({ body, read, source }: BodyToSplit): readonly BodyPart[] {
  const whole = (key: string): BodyPart[] => [{ key, body, recordCount: read.recordCount }];
  const unsound = new Set(read.problems.map(({ unit_pointer }) => unit_pointer));
  if (unsound.has('')) return whole(sourceKey(source));
  const keyed = read.items().map(({ recordCount, session = '' }) => ({
    recordCount,
    key: session === '' ? sourceKey(source) : sessionKey(session),
  }));
  const [first] = keyed;
  if (first === undefined) return whole(sourceKey(source));
  if (keyed.every(({ key }) => key === first.key)) return whole(first.key);
  const sequence = new UnitSequence(keyed, unsound);
  const pieces = read.cut(sequence);
  if (pieces === undefined || !sequence.isComplete) return whole(sourceKey(source));
  const shares = [...divide(pieces, first.key)];
  const bytes = shares.reduce((sum, [, { chunks }]) => sum + byteCount(chunks), 0);
  if (bytes > body.length + MAX_REPEATED_BYTES) return whole(sourceKey(source));
  return shares.map(([key, { chunks, itemCount }]) => ({
    key,
    body: Buffer.concat(chunks),
    recordCount: itemCount,
  }));
}

function byteCount(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
