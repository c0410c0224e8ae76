import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../schemas/canonical.ts';
import type { EnvelopeSource } from '../../../connectors/sources/index.ts';
import type { JsonValue } from '../../../schemas/json.ts';
import { recordedRequests, expandEnvelope } from './recorded.ts';

/** SHA-256 over the canonical drafts of every recorded request of one source, in order of arrival. */
function digestOf(source: EnvelopeSource): string {
  const digest = createHash('sha256');
  for (const { envelope } of recordedRequests()) {
    if (envelope.source !== source) continue;
    const drafts = expandEnvelope(envelope).map((one) => {
      if (one.kind !== 'draft') return one;
      // No part of a record: the normaliser seals paths by them.
      const draft = Object.entries(one.draft).filter(([name]) => name !== 'folders');
      return { kind: one.kind, draft: Object.fromEntries(draft) };
    });
    digest.update(`${canonicalJson(drafts as unknown as JsonValue)}\n`);
  }
  return digest.digest('hex');
}

/** Ids and commitments of sealed records follow from these bytes, so they may only change with a decision to. */
describe('the drafts of all recordings', () => {
  it.each<[EnvelopeSource, string]>([
    ['claude-code-hook', '084eecabc18ddb787f130bdaef9573c1a81a2fd5b225f105a43fa030cbaa2647'],
    ['otlp-logs', 'ff7b813b48703dc9db8267a5590ad1b63b9f0deac1786fe43cf56663d669ed6c'],
    ['otlp-metrics', '189a8269075940fa9447beeb82f66048b1bf30b1368d9fe469445957d71f3c5d'],
  ])('are for %s what they have always been', (source, sha256) => {
    expect(digestOf(source)).toBe(sha256);
  });
});
