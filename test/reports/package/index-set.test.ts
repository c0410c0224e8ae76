import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIndexSet } from '../../../reports/package/index-set.ts';

describe('a set of leaf indexes', () => {
  it('holds what was added, once, in order', () => {
    const indexes = fc.array(fc.nat({ max: 199_999 }));
    fc.assert(
      fc.property(indexes, indexes, (first, second) => {
        const set = createIndexSet(200_000);
        const other = createIndexSet(200_000);
        set.addAll(first);
        other.addAll(second);
        set.addSet(other);
        const expected = [...new Set([...first, ...second])].sort((left, right) => left - right);
        expect(set.between(0, 200_000)).toEqual(expected);
        expect(set.count).toBe(expected.length);
        expect(expected.every((index) => set.has(index))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('gives the members of a half-open range', () => {
    const set = createIndexSet(20);
    set.addAll([3, 7, 8, 19]);
    expect(set.between(3, 8)).toEqual([3, 7]);
    expect(set.between(8, 1000)).toEqual([8, 19]);
  });

  it.each([-1, 20, 1.5])('refuses %d, which is no leaf of the tree', (index) => {
    expect(() => createIndexSet(20).addAll([index])).toThrow(RangeError);
  });
});
