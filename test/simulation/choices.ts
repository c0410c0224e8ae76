/**
 * Where every decision of a run comes from: a list of numbers. 0 is always the harmless choice, and what is missing at
 * the end is 0, so that a failing list can be made shorter and smaller until only what matters is left.
 */
export interface Choices {
  /** 0 to 255. */
  byte(): number;
  /** From 0 to below `count`. */
  below(count: number): number;
  /** One of them; the first is the harmless one. */
  pick<T>(items: readonly [T, ...T[]]): T;
  readonly isSpent: boolean;
}

export function createChoices(bytes: readonly number[]): Choices {
  let place = 0;
  const byte = (): number => {
    const value = bytes[place] ?? 0;
    place += 1;
    return value;
  };
  const below = (count: number): number => byte() % count;
  return {
    byte,
    below,
    pick: <T>(items: readonly [T, ...T[]]) => items[below(items.length)] ?? items[0],
    get isSpent() {
      return place >= bytes.length;
    },
  };
}

export interface Weighted<T> {
  readonly what: T;
  /** Of 256. */
  readonly weight: number;
}

/** By weight; the first one also takes whatever the others leave. */
export function pickWeighted<T>(
  byte: number,
  [first, ...others]: readonly [Weighted<T>, ...Weighted<T>[]],
): T {
  let bound = 256;
  for (const { what, weight } of others) {
    bound -= weight;
    if (byte >= bound) return what;
  }
  return first.what;
}
