import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { createNormaliser } from '../../../../ingest/normalise.ts';
import { toKeyedEnvelopes } from '../../../../ingest/receivers/envelopes.ts';
import { createSourceFinder, SOURCES } from '../../../../connectors/sources/index.ts';
import { createSurrogates } from '../../../../ingest/surrogates.ts';
import { canonicalJson } from '../../../../schemas/canonical.ts';
import { keyOf, sessionKey, sourceKey, type Envelope } from '../../../../schemas/envelope.ts';
import type { AuditRecord } from '../../../../schemas/record.ts';

const normalise = createNormaliser({
  surrogates: createSurrogates(new Uint8Array(32).fill(3)),
});

const sourceOf = createSourceFinder(SOURCES);

/** The parts of an envelope as a receiver makes them. Throws BODY_MALFORMED for what a receiver refuses. */
export function partsOf(whole: Envelope): Envelope[] {
  const { body: bytes, ...stamp } = whole;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = sourceOf(whole)!.read(whole);
  let next = 0;
  return toKeyedEnvelopes({ stamp, body, read }, () => `part-${next++}`);
}

const known = new WeakMap<Envelope, AuditRecord[]>();

export function recordsOf(envelope: Envelope): AuditRecord[] {
  const records = known.get(envelope) ?? normalise(envelope).records;
  known.set(envelope, records);
  return records;
}

/** What the record's item goes by, judged by the record and the source that took it in. */
export function keyOfRecord({ type, facts }: AuditRecord, source: string): string {
  const session = type === 'quarantined' ? '' : (facts.session_id ?? '');
  return session === '' ? sourceKey(source) : sessionKey(session);
}

/**
 * What must be the same of a record in whichever part it came. The pointer of a quarantined item, and so its id, tells
 * its place in the body that the envelope has. Its bytes are its own, but for an item that cannot be cut out and holds
 * all of its body.
 */
function essence(record: AuditRecord, hasOwnBytes: (sha256: string) => boolean): string {
  const { id, type, source, subject, principal, facts, content } = record;
  if (type !== 'quarantined') return canonicalJson({ id, type, source, subject, principal, facts, content });
  const { quarantine_reason = null, body_sha256 = '' } = facts;
  const own = hasOwnBytes(body_sha256) ? { body_sha256, content } : {};
  return canonicalJson({ type, source, principal, quarantine_reason, ...own });
}

/** The records of a body, and those of its parts, as far as they have to be the same. */
function essences(whole: Envelope, parts: readonly Envelope[]): readonly [whole: string[], parts: string[]] {
  const wholeSha256 = createHash('sha256').update(whole.body).digest('hex');
  const cut = new Set(recordsOf(whole).map(({ facts }) => facts.body_sha256));
  cut.delete(wholeSha256);
  const list = (envelopes: readonly Envelope[]) =>
    envelopes
      .flatMap((one) => recordsOf(one).map((record) => essence(record, (sha256) => cut.has(sha256))))
      .sort();
  return [list([whole]), list(parts)];
}

/** Comparing buffers element by element, as matchers do, takes seconds. */
export const sameBytes = (one: Envelope, other: Envelope) => Buffer.compare(one.body, other.body) === 0;

/** Everything that has to hold between a body and its parts. */
export function expectSoundParts(whole: Envelope, parts: readonly Envelope[]): void {
  const records = recordsOf(whole);
  const [ofWhole, ofParts] = essences(whole, parts);
  expect(ofParts).toEqual(ofWhole);
  expect(new Set(parts.map(keyOf)).size).toBe(parts.length);
  const inOrder = new Map<string, string[]>();
  for (const record of records) {
    if (record.type === 'quarantined') continue;
    const key = keyOfRecord(record, whole.source);
    inOrder.set(key, [...(inOrder.get(key) ?? []), record.id]);
  }
  for (const part of parts) {
    const ofPart = recordsOf(part);
    expect(ofPart).toHaveLength(part.item_count);
    if (whole.source !== 'claude-code-hook') {
      for (const record of ofPart) expect(keyOfRecord(record, part.source)).toBe(keyOf(part));
    }
    const ids = ofPart.filter(({ type }) => type !== 'quarantined').map(({ id }) => id);
    if (parts.length > 1) expect(ids).toEqual(inOrder.get(keyOf(part)) ?? []);
  }
  if (parts.length === 1) expect(sameBytes(parts[0]!, whole)).toBe(true);
}
