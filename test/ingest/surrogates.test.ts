import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSurrogates } from '../../ingest/surrogates.ts';

const surrogates = createSurrogates(new Uint8Array(32).fill(1));

describe('createSurrogates', () => {
  it('gives equal keys equal ids and unlike keys unlike ids', () => {
    const key = fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 });
    fc.assert(
      fc.property(key, key, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(surrogates.recordId(one) === surrogates.recordId(other)).toBe(isSame);
      }),
    );
    expect(surrogates.recordId(['a', 'bc'])).not.toBe(surrogates.recordId(['ab', 'c']));
    expect(surrogates.recordId(['a", "b'])).not.toBe(surrogates.recordId(['a', 'b']));
  });

  it('keeps record ids, principals and subjects apart', () => {
    const [id, principal, subject] = [
      surrogates.recordId(['x']),
      surrogates.principal('x'),
      surrogates.subject('x'),
    ];
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(principal).toMatch(/^[0-9a-f]{32}$/);
    expect(subject).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set([id.slice(0, 32), principal, subject]).size).toBe(3);
  });

  it('depends on the key of the installation', () => {
    const other = createSurrogates(new Uint8Array(32).fill(2));
    expect(other.subject('alice')).not.toBe(surrogates.subject('alice'));
    expect(other.recordId(['x'])).not.toBe(surrogates.recordId(['x']));
  });
});
