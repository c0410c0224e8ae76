/** The numbered keys of a log in its archive: bundles by start index, checkpoints by tree size. */
import type { Archive } from '../archive/archive.ts';
import { bundleKey, bundlePrefix, checkpointKey, checkpointPrefix } from '../chain/layout.ts';

/** Keys of one folder of a log. */
export interface NumberedKeys {
  readonly prefix: string;
  readonly at: (number: number) => string;
}

export function bundleKeys(log: string): NumberedKeys {
  return { prefix: bundlePrefix(log), at: (start) => bundleKey(log, start) };
}

export function checkpointKeys(log: string): NumberedKeys {
  return { prefix: checkpointPrefix(log), at: (size) => checkpointKey(log, size) };
}

/** Numbers above `after`, rising. */
export async function* numbersAfter(
  archive: Archive,
  { prefix, at }: NumberedKeys,
  after: number,
): AsyncGenerator<number> {
  for await (const key of archive.list(prefix, after < 0 ? undefined : at(after)))
    yield Number(key.slice(prefix.length));
}

/** The search for a last number begins so far below the guess. Each further try begins so many times further below. */
const FIRST_LOOK_BACK = 1024;
const LOOK_BACK_GROWTH = 16;

/**
 * The last number that is not above `upTo`; undefined where there is none. Any guess yields the same answer. A good one
 * saves listing a long log from its beginning.
 */
export async function lastNumber(
  archive: Archive,
  keys: NumberedKeys,
  { guess, upTo = Number.POSITIVE_INFINITY }: { readonly guess: number; readonly upTo?: number },
): Promise<number | undefined> {
  for (let lookBack = FIRST_LOOK_BACK; ; lookBack *= LOOK_BACK_GROWTH) {
    const after = guess - lookBack;
    let last: number | undefined;
    for await (const number of numbersAfter(archive, keys, after)) {
      if (number > upTo) break;
      last = number;
    }
    if (last !== undefined || after < 0) return last;
  }
}
