import { createHash } from 'node:crypto';

/**
 * Bytes that depend only on a seed and a place, and not on earlier draws. So each part of a simulation can be made
 * separately, and the same seed makes the same bytes on every machine.
 */
export function drawBytes(seed: string, ...place: readonly (string | number)[]): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([seed, ...place]))
    .digest();
}

/** Eight independent numbers from 0 up to but not including 1. */
export function drawFractions(
  seed: string,
  ...place: readonly (string | number)[]
): (index: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7) => number {
  const bytes = drawBytes(seed, ...place);
  return (index) => bytes.readUInt32BE(index * 4) / 2 ** 32;
}

/** The entry at a fraction of the way through a list that is not empty. */
export function pickAt<Item>(items: readonly Item[], fraction: number): Item | undefined {
  return items[Math.floor(fraction * items.length)];
}
