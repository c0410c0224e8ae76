import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSample, SAMPLE_SIZE } from '../../../reports/package/sample.ts';

const sha256 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

describe('the sample', () => {
  it('is the 25 smallest ranks, in whatever order records come', () => {
    const root = sha256('root');
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(120).keys()], { minLength: 0 }), (indexes) => {
        const sample = openSample(root);
        for (const index of indexes) sample.offer(index, sha256(`leaf ${index}`));
        const expected = indexes
          .map((index) => ({ index, rank: sha256(root, sha256(`leaf ${index}`)).toString('hex') }))
          .sort((left, right) => (left.rank < right.rank ? -1 : 1))
          .slice(0, SAMPLE_SIZE)
          .map(({ index }) => index);
        expect(sample.indexes()).toEqual(expected.sort((left, right) => left - right));
      }),
    );
  });

  it('changes with the root', () => {
    const draw = (root: string) => {
      const sample = openSample(sha256(root));
      for (let index = 0; index < 500; index += 1) sample.offer(index, sha256(`leaf ${index}`));
      return sample.indexes();
    };
    expect(draw('one')).not.toEqual(draw('other'));
    expect(draw('one')).toHaveLength(SAMPLE_SIZE);
  });
});
