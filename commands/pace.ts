import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when so many records may be sent, or when the signal is aborted. */
export type Pace = (records: number, signal: AbortSignal) => Promise<void>;

/** Timers are not finer than this, so shorter waits are added up. */
const MIN_WAIT_MS = 2;

/** Time lost to a late timer or a slow answer is caught up to this much; more would be a burst. */
const CATCH_UP_MS = 200;

/** Allows so many records per second on average over all senders; without a limit if undefined. */
export function createPace(recordsPerSecond: number | undefined): Pace {
  if (recordsPerSecond === undefined) return () => Promise.resolve();
  let nextMs: number | undefined;
  return async (records, signal) => {
    const nowMs = performance.now();
    const dueMs = Math.max(nextMs ?? nowMs, nowMs - CATCH_UP_MS);
    nextMs = dueMs + (records * 1000) / recordsPerSecond;
    if (dueMs - nowMs < MIN_WAIT_MS) return;
    await delay(dueMs - nowMs, undefined, { signal }).catch(() => undefined);
  };
}
