import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  BacklogMinima,
  STRETCH_MAX_ENTRIES,
  type Received,
} from '../../../ingest/embedded/backlog-minima.ts';

/** Some are far ahead, some behind, most within a second of each other. */
const receivedMs = fc.oneof(
  fc.integer({ min: 0, max: 3 }).map((seconds) => seconds * 86_400_000),
  fc.integer({ min: 100_000, max: 100_050 }),
  fc.integer({ min: 98_000, max: 105_000 }),
);
const step = fc.oneof(
  fc.record({ adds: fc.array(receivedMs, { maxLength: 20 }) }),
  fc.record({ removes: fc.integer({ min: 1, max: 12 }) }),
);

it('gives the earliest of the entries that wait, as a search of all of them does', () => {
  const judge = (steps: readonly ({ adds: number[] } | { removes: number })[]): void => {
    const minima = new BacklogMinima();
    let waiting: Received[] = [];
    let key = 0;
    for (const one of steps) {
      if ('removes' in one) waiting = waiting.slice(one.removes);
      else {
        for (const ms of one.adds) {
          // Keys may skip.
          key += 1 + (ms % 3);
          const received = { key, receivedMs: ms, before: { entries: key, bytes: 100 * key } };
          waiting.push(received);
          minima.push(received);
        }
      }
      expect(earliestOf(minima, waiting)).toBe(naive(waiting));
    }
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), judge), { numRuns: 500 });
});

const naive = (waiting: readonly Received[]): number | undefined =>
  waiting.length === 0 ? undefined : Math.min(...waiting.map((one) => one.receivedMs));

/** As the log does: it reads what is left of the first stretch again. */
function earliestOf(minima: BacklogMinima, waiting: readonly Received[]): number | undefined {
  const firstKey = waiting[0]?.key ?? Number.MAX_SAFE_INTEGER;
  minima.dropBefore(firstKey);
  const front = minima.front;
  if (front !== undefined && front.first.key < firstKey) {
    minima.replaceFront(
      waiting
        .filter(({ key }) => key <= front.lastKey)
        .map((received) => ({ ...received, before: front.first.before })),
    );
  }
  return minima.front?.first.receivedMs;
}

it('keeps one stretch a second, and none longer than can be read again at once', () => {
  const push = (minima: BacklogMinima, count: number, ms: (index: number) => number, bytes: number): void => {
    for (let index = 0; index < count; index += 1) {
      minima.push({ key: index, receivedMs: ms(index), before: { entries: index, bytes: bytes * index } });
    }
  };
  const [days, second, large] = [new BacklogMinima(), new BacklogMinima(), new BacklogMinima()];
  push(days, 100_000, (index) => index * 20, 1);
  expect(days.length).toBe(2000);
  // A second has a thousand times of receipt, each of which several entries may have.
  push(second, 10 * STRETCH_MAX_ENTRIES, (index) => index / 100, 1);
  expect(second.length).toBe(10);
  push(large, 64, (index) => index, 1024 * 1024);
  expect(large.length).toBe(8);
});
