import { describe, expect, it } from 'vitest';
import type { ProjectedBundle } from '../../../store/ledger/projection.ts';
import { testLock } from '../../support/ledger.ts';
import { inWindows } from '../../../store/ledger/replay-windows.ts';

/** Bundles of `leaves` leaves each, from the leaf `from` on. */
async function* bundlesOf(count: number, leaves: number, from = 0): AsyncGenerator<ProjectedBundle> {
  for (let n = 0; n < count; n += 1) {
    const start_index = from + n * leaves;
    const rows = () => Promise.resolve([]);
    const bundle = {
      log: 'p0',
      start_index,
      tree_size: start_index + leaves,
      ids: [],
      lock: testLock(),
      leafHashes: [],
      rows,
    };
    yield await Promise.resolve({ ...bundle, key: `bundle/${String(start_index)}` });
  }
}

async function startsOf(bundles: AsyncIterable<ProjectedBundle>): Promise<number[][]> {
  const windows: number[][] = [];
  for await (const window of inWindows(bundles)) windows.push(window.map(({ start_index }) => start_index));
  return windows;
}

const ends = (windows: number[][]) => windows.map((starts) => [starts[0], starts.at(-1)]);

describe('the windows of a replay', () => {
  it('hold every bundle once, in order', async () => {
    const windows = await startsOf(bundlesOf(2_000, 10));
    expect(windows.flat()).toEqual(Array.from({ length: 2_000 }, (_, n) => n * 10));
  });

  it('end where a multiple of 4,096 leaves lies between two bundles', async () => {
    const windows = ends(await startsOf(bundlesOf(1_000, 10)));
    expect(windows.slice(0, 3)).toEqual([
      [0, 4_090],
      [4_100, 8_190],
      [8_200, 9_830],
    ]);
  });

  it('are the same wherever the replay begins', async () => {
    const whole = await startsOf(bundlesOf(1_000, 10));
    const later = await startsOf(bundlesOf(500, 10, 5_000));
    expect(later.slice(1)).toEqual(whole.slice(2));
    expect(whole[1]?.slice(-later[0]!.length)).toEqual(later[0]);
  });

  it('leave the newest 16 bundles alone', async () => {
    const windows = await startsOf(bundlesOf(20, 1));
    expect(windows.map((starts) => starts.length)).toEqual([4, ...Array<number>(16).fill(1)]);
    expect(await startsOf(bundlesOf(16, 1))).toEqual(Array.from({ length: 16 }, (_, n) => [n]));
  });

  it('hold one bundle each where a bundle is larger than a window', async () => {
    expect(await startsOf(bundlesOf(18, 5_000))).toEqual(Array.from({ length: 18 }, (_, n) => [n * 5_000]));
  });

  it('are none where no bundle is replayed', async () => {
    expect(await startsOf(bundlesOf(0, 1))).toEqual([]);
  });
});
