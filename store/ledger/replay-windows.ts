import type { ProjectedBundle } from './projection.ts';

/** Leaves of one window. */
const WINDOW_LEAVES = 4_096;
/** The newest bundles of a log are replayed one by one. */
const NEWEST_ALONE = 16;

/**
 * Puts the bundles of a replay together, because one write of many bundles costs a projection little more than one of few.
 * In: consecutive bundles of one log, up to its head. Out: the same in the same order, in windows: a window holds the
 * bundles that begin between two multiples of 4,096 leaves.
 *
 * The log alone decides where a window ends. So two processes that replay it from the same leaf on make the same writes,
 * and the record store recognises the second ones. The newest bundles come alone, as sealing applies them: a process that
 * was stopped may still apply one of them.
 */
export async function* inWindows(
  bundles: AsyncIterable<ProjectedBundle>,
): AsyncGenerator<readonly ProjectedBundle[]> {
  const newest: ProjectedBundle[] = [];
  let window: ProjectedBundle[] = [];
  for await (const bundle of bundles) {
    newest.push(bundle);
    const older = newest.length > NEWEST_ALONE ? newest.shift() : undefined;
    if (older === undefined) continue;
    if (window[0] !== undefined && windowOf(window[0]) !== windowOf(older)) {
      yield window;
      window = [];
    }
    window.push(older);
  }
  if (window.length > 0) yield window;
  for (const bundle of newest) yield [bundle];
}

function windowOf({ start_index }: ProjectedBundle): number {
  return Math.floor(start_index / WINDOW_LEAVES);
}
