import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when so many records may go; at once when the signal is aborted. */
export type Pace = (records: number, signal: AbortSignal) => Promise<void>;

/** Timers are not finer than this; shorter waits are saved up. */
const LEAST_WAIT_MS = 2;

/** What a late timer or a slow answer cost may be made up for, up to this; more would be a burst. */
const CATCH_UP_MS = 200;

/** At most so many records per second on average since the first one, whoever sends them; unlimited if undefined. */
export function createPace(recordsPerSecond: number | undefined): Pace {
  if (recordsPerSecond === undefined) return () => Promise.resolve();
  let nextMs: number | undefined;
  return async (records, signal) => {
    const nowMs = performance.now();
    const dueMs = Math.max(nextMs ?? nowMs, nowMs - CATCH_UP_MS);
    nextMs = dueMs + (records * 1000) / recordsPerSecond;
    if (dueMs - nowMs < LEAST_WAIT_MS) return;
    await delay(dueMs - nowMs, undefined, { signal }).catch(() => undefined);
  };
}
