import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockStart, buildInclusionTree, LEAVES_PER_BLOCK } from '../../../reports/package/inclusion-tree.ts';
import { emptyRoot, inclusionProof, rootFromInclusion, rootOf } from '../../../store/chain/merkle.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const leaves = (count: number) =>
  Array.from({ length: count }, (_, n) => createHash('sha256').update(`leaf ${n}`).digest());

function treeOf(hashes: readonly Uint8Array[], portion: number) {
  const builder = buildInclusionTree();
  for (let at = 0; at < hashes.length; at += portion) builder.add(hashes.slice(at, at + portion));
  return builder.finish();
}

function pathOf(hashes: readonly Uint8Array[], index: number, portion = 100): Uint8Array[] {
  const start = blockStart(index);
  return treeOf(hashes, portion)
    .block(start, hashes.slice(start, start + LEAVES_PER_BLOCK))
    .path(index);
}

describe('the inclusion tree', () => {
  it('gives the paths of RFC 6962, whatever the portions', () => {
    const count = fc.integer({ min: 1, max: 1400 });
    fc.assert(
      fc.property(count, fc.nat(), fc.integer({ min: 1, max: 700 }), (size, pick, portion) => {
        const hashes = leaves(size);
        const index = pick % size;
        const path = pathOf(hashes, index, portion);
        expect(path.map(hex)).toEqual(inclusionProof(index, hashes).map(hex));
        expect(hex(rootFromInclusion({ index, size }, hashes[index]!, path)!)).toBe(hex(rootOf(hashes)));
      }),
      { numRuns: 40 },
    );
  });

  it.each([1, 2, 255, 256, 257, 511, 512, 513, 769])('has the root of RFC 6962 for %i leaves', (size) => {
    const tree = treeOf(leaves(size), 64);
    expect(tree.size).toBe(size);
    expect(hex(tree.root)).toBe(hex(rootOf(leaves(size))));
  });

  it('has the root of no leaves', () => {
    expect(hex(buildInclusionTree().finish().root)).toBe(hex(emptyRoot()));
  });

  it('refuses an index outside of its block', () => {
    const hashes = leaves(300);
    const block = treeOf(hashes, 300).block(256, hashes.slice(256));
    expect(() => block.path(255)).toThrow(RangeError);
    expect(() => block.path(300)).toThrow(RangeError);
  });
});
