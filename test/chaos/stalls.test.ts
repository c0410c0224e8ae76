import { describe, expect, it } from 'vitest';
import { createStallWatch } from './stalls.ts';

const ALL = { fromMs: 0, toMs: 1_000_000 };

/** A log of one bundle for each entry: when it was stored, and when its events were acknowledged. */
function watchOf(...bundles: readonly (readonly [storedAtMs: number, ackedAtMs: readonly number[]])[]) {
  const watch = createStallWatch();
  let event = 0;
  for (const [startIndex, [storedAtMs, ackedAtMs]] of bundles.entries()) {
    const events = ackedAtMs.map((atMs) => {
      watch.acknowledged((event += 1), atMs);
      return event;
    });
    watch.stored('p0', startIndex, storedAtMs);
    watch.sealed('p0', { startIndex, events });
  }
  return watch;
}

describe('the watch over stalls', () => {
  it('finds none where each event is sealed at once, however long nothing comes', () => {
    const watch = watchOf([100, [90]], [50_000, [49_990]], [50_100, [50_050]]);
    expect(watch.longestMs('p0', ALL)).toBe(50);
    expect(watch.longestMs('p1', ALL)).toBe(0);
  });

  it('finds the time between two bundles while an event waited, though a later bundle holds it', () => {
    const watch = watchOf([100, [90]], [9_000, [8_950]], [9_100, [2_000]]);
    expect(watch.longestMs('p0', ALL)).toBe(7_000);
  });

  it('counts from the bundle before where the event had waited already', () => {
    const watch = watchOf([3_000, [2_990]], [10_000, [1_000]]);
    expect(watch.longestMs('p0', ALL)).toBe(7_000);
  });

  it('counts the part of a stall that lies in the span', () => {
    const watch = watchOf([100, [90]], [9_000, [1_000]]);
    expect(watch.longestMs('p0', { fromMs: 4_000, toMs: 6_500 })).toBe(2_500);
    expect(watch.longestMs('p0', { fromMs: 9_000, toMs: 9_500 })).toBe(0);
  });

  it('takes the first acknowledgement of an event and the first moment of a bundle', () => {
    const watch = createStallWatch();
    watch.acknowledged(1, 1_000);
    watch.acknowledged(1, 5_000);
    watch.stored('p0', 0, 6_000);
    watch.stored('p0', 0, 8_000);
    watch.sealed('p0', { startIndex: 0, events: [1] });
    expect(watch.longestMs('p0', ALL)).toBe(5_000);
  });
});
