import { describe, expect, it } from 'vitest';
import { EnvelopeHeader, keyOf, sessionKey, sourceKey } from '../../schemas/envelope.ts';
import { compileValidator } from '../../schemas/validate.ts';

const check = compileValidator(EnvelopeHeader);
const header: EnvelopeHeader = {
  v: 1,
  envelope_id: '00000000-0000-4000-8000-000000000000',
  source: 'native',
  receiver: '/v1/events',
  principal: 'collector-1',
  received_at: '2026-01-02T03:04:05.678Z',
  content_type: 'application/json',
  item_count: 1,
  idempotency_key: null,
};

describe('the header of an envelope', () => {
  const part = { of_sha256: 'a'.repeat(64), number: 1, count: 2 };

  it.each([
    ['without a partition key, as it was before there were partitions', header],
    ['with a partition key', { ...header, partition_key: 'session:s' }],
    ['of a part', { ...header, partition_key: 'session:s', part }],
  ])('is valid %s', (__, value) => {
    expect(check(value)).toEqual({ ok: true, value });
  });

  it.each([
    ['a part of nothing', { ...header, part: { ...part, count: 1 } }],
    ['the part before the first', { ...header, part: { ...part, number: 0 } }],
    ['a part of what is not told', { ...header, part: { number: 1, count: 2 } }],
    ['a key that is no text', { ...header, partition_key: null }],
  ])('is not valid with %s', (__, value) => {
    expect(check(value).ok).toBe(false);
  });
});

describe('keyOf', () => {
  it('is the key that the receiver gave, and the source where it gave none', () => {
    expect(keyOf({ ...header, partition_key: 'session:s' })).toBe('session:s');
    expect(keyOf(header)).toBe(`source:${header.source}`);
  });

  it('never takes a session for a source', () => {
    expect(sessionKey('source:x')).not.toBe(sourceKey('x'));
    expect(sourceKey('session:x')).not.toBe(sessionKey('x'));
  });
});
