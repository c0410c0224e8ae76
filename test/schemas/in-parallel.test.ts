import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inParallel } from '../../schemas/in-parallel.ts';

describe('work in parallel', () => {
  it('gives the results in the order of the items, whatever ends first', async () => {
    const results = await inParallel([30, 1, 10], 3, async (ms, place) => {
      await setTimeout(ms);
      return `${String(place)}:${String(ms)}`;
    });
    expect(results).toEqual(['0:30', '1:1', '2:10']);
  });

  it('runs no more than its limit at once', async () => {
    let running = 0;
    let most = 0;
    await inParallel(
      Array.from({ length: 20 }, (_, n) => n),
      4,
      async () => {
        running += 1;
        most = Math.max(most, running);
        await setTimeout(1);
        running -= 1;
      },
    );
    expect(most).toBe(4);
  });

  it('waits for what runs when one fails, begins nothing more, and throws the failure', async () => {
    const ended: number[] = [];
    const work = inParallel([1, 2, 3, 4, 5, 6], 2, async (item) => {
      await setTimeout(item === 1 ? 1 : 20);
      if (item === 1) throw new Error('the first failed');
      ended.push(item);
    });
    await expect(work).rejects.toThrow('the first failed');
    expect(ended).toEqual([2]);
  });

  it('does nothing for no items', async () => {
    expect(await inParallel([], 0, () => Promise.reject(new Error('called')))).toEqual([]);
  });
});
