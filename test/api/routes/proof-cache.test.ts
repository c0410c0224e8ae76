import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildProofCache } from '../../../api/routes/proof-cache.ts';
import { inclusionProof, rootFromInclusion, rootOf, type LeafRange } from '../../../store/chain/merkle.ts';

const leaves = Array.from({ length: 3000 }, (_, index) => createHash('sha256').update(`${index}`).digest());

function countingLog() {
  const reads: LeafRange[] = [];
  return {
    reads,
    read: (range: LeafRange) => {
      reads.push(range);
      return Promise.resolve(leaves.slice(range.start, range.end));
    },
  };
}

describe('proof cache', () => {
  it('gives the same path as the whole tree, for any leaf of any size', async () => {
    const cache = buildProofCache(countingLog().read);
    const treeSize = fc.oneof(
      fc.integer({ min: 1, max: leaves.length }),
      fc.constantFrom(1, 2, 255, 256, 257, 511, 512, 513, 768, 1024, 1025, 2048, 2049),
    );
    await fc.assert(
      fc.asyncProperty(treeSize, fc.nat(), async (size, seed) => {
        const index = seed % size;
        expect(await cache.path(index, size)).toEqual(inclusionProof(index, leaves.slice(0, size)));
      }),
      { numRuns: 200 },
    );
  });

  it('leads every leaf of a tree with an unfinished block to its root', async () => {
    const size = 777;
    const cache = buildProofCache(countingLog().read);
    const root = rootOf(leaves.slice(0, size));
    for (let index = 0; index < size; index += 1) {
      const path = await cache.path(index, size);
      expect(rootFromInclusion({ index, size }, leaves[index]!, path)).toEqual(root);
    }
  });

  it('reads at most two blocks for a proof once the tree is known', async () => {
    const log = countingLog();
    const cache = buildProofCache(log.read);
    await cache.path(5, 3000);
    log.reads.length = 0;
    await cache.path(1700, 3000);
    const leavesRead = log.reads.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(leavesRead).toBeLessThanOrEqual(512);
  });

  it('reads a growing log only from where it stopped', async () => {
    const log = countingLog();
    const cache = buildProofCache(log.read);
    await cache.path(0, 2048);
    log.reads.length = 0;
    await cache.path(0, 2560);
    expect(log.reads.map(({ start }) => start).sort((a, b) => a - b)).toEqual([0, 2048]);
  });

  it('serves many proofs at once without reading the log more than once', async () => {
    const log = countingLog();
    const cache = buildProofCache(log.read);
    const size = 2560;
    const paths = await Promise.all(Array.from({ length: 20 }, (_, at) => cache.path(at * 100, size)));
    paths.forEach((path, at) => expect(path).toEqual(inclusionProof(at * 100, leaves.slice(0, size))));
    const leavesRead = log.reads.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(leavesRead).toBeLessThanOrEqual(size + 20 * 256);
  });

  it('tries again after a failed read and after a reset', async () => {
    const log = countingLog();
    let failing = true;
    const cache = buildProofCache((range) => (failing ? Promise.reject(new Error('down')) : log.read(range)));
    await expect(cache.path(3, 1024)).rejects.toThrow('down');
    failing = false;
    expect(await cache.path(3, 1024)).toEqual(inclusionProof(3, leaves.slice(0, 1024)));
    log.reads.length = 0;
    cache.reset();
    await cache.path(3, 1024);
    expect(log.reads.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(1024 + 256);
  });
});
