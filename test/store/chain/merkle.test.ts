import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appendLeaves,
  chainHash,
  chainStart,
  emptyRoot,
  frontierRoot,
  inclusionProof,
  inclusionRanges,
  leafHash,
  rootFromInclusion,
  rootOf,
  type Frontier,
} from '../../../store/chain/merkle.ts';

const hex = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');

/** The eight inputs and the roots of their prefixes that implementations of RFC 6962 are commonly tested with. */
const INPUTS = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((text) => Buffer.from(text, 'hex'));
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const LEAVES = INPUTS.map(leafHash);

const leaves = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 70 });

describe('the tree of RFC 6962', () => {
  it('has the known roots for the known inputs', () => {
    expect(hex(emptyRoot())).toBe(ROOTS[0]);
    for (let size = 0; size <= 8; size += 1) expect(hex(rootOf(LEAVES.slice(0, size)))).toBe(ROOTS[size]);
  });

  it('has the known audit path for the first of eight leaves', () => {
    expect(inclusionProof(0, LEAVES).map(hex)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
  });

  it('grows to the same root in any split of the leaves into batches', () => {
    fc.assert(
      fc.property(leaves, fc.array(fc.nat(70), { maxLength: 6 }), (all, cuts) => {
        const bounds = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
        let frontier: Frontier = [];
        bounds.slice(1).forEach((end, step) => {
          const start = bounds[step] ?? 0;
          frontier = appendLeaves(frontier, start, all.slice(start, end));
        });
        expect(hex(frontierRoot(frontier))).toBe(hex(rootOf(all)));
      }),
    );
  });

  it('proves every leaf of every tree, and no leaf with one bit changed', () => {
    fc.assert(
      fc.property(leaves, fc.nat(), fc.nat(), (all, pick, bit) => {
        const index = pick % all.length;
        const path = inclusionProof(index, all);
        const position = { index, size: all.length };
        const leaf = all[index]!;
        expect(hex(rootFromInclusion(position, leaf, path))).toBe(hex(rootOf(all)));

        const flipped = [leaf, ...path].map((hash) => Uint8Array.from(hash));
        const target = flipped[bit % flipped.length]!;
        target[bit % 32]! ^= 1 << (bit % 8);
        const [wrongLeaf, ...wrongPath] = flipped;
        expect(hex(rootFromInclusion(position, wrongLeaf!, wrongPath))).not.toBe(hex(rootOf(all)));
      }),
    );
  });

  it('refuses paths that are too short, too long or for an index outside the tree', () => {
    const path = inclusionProof(3, LEAVES);
    const leaf = LEAVES[3]!;
    expect(rootFromInclusion({ index: 3, size: 8 }, leaf, path.slice(1))).toBeUndefined();
    expect(rootFromInclusion({ index: 3, size: 8 }, leaf, [...path, leaf])).toBeUndefined();
    expect(rootFromInclusion({ index: 8, size: 8 }, leaf, path)).toBeUndefined();
    expect(rootFromInclusion({ index: -1, size: 8 }, leaf, path)).toBeUndefined();
  });

  it('needs at most as many subtrees for a path as the tree is high', () => {
    expect(inclusionRanges(0, 1)).toEqual([]);
    expect(inclusionRanges(99_999_999, 100_000_000).length).toBeLessThanOrEqual(27);
    expect(() => inclusionRanges(5, 5)).toThrow(RangeError);
  });
});

describe('the linear chain', () => {
  it('depends on every leaf before it', () => {
    const forward = LEAVES.reduce(chainHash, chainStart());
    const swapped = [...LEAVES.slice(0, 2), LEAVES[3]!, LEAVES[2]!, ...LEAVES.slice(4)].reduce(
      chainHash,
      chainStart(),
    );
    expect(hex(forward)).not.toBe(hex(swapped));
  });
});
