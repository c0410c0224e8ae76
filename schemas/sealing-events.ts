/** Events of the program about its own sealing, in the shape of `/v1/events`. */
import { toInstant } from './clock.ts';
import type { NativeEvent } from './native-event.ts';

/**
 * The clock that seals is behind a time that a log knows.
 *
 * - `behind`: behind the time of the newest bundle. Bundles keep it until the clock has caught up.
 * - `behind_receivers`: behind the receipt of a record to seal, so a receiver's clock was ahead, or this one is wrong.
 */
export interface ClockStep {
  readonly reason: 'behind' | 'behind_receivers';
  /** That time. */
  readonly known_at: string;
  readonly behind_ms: number;
}

export function toClockStepEvent(log: string, { reason, known_at, behind_ms }: ClockStep): NativeEvent {
  const known = reason === 'behind' ? { integrated_at: known_at } : { received_at: known_at };
  return {
    type: 'clock.stepped',
    facts: { success: false, reason, duration_ms: behind_ms },
    content: { log, ...known },
  };
}

/** A partition whose sealing stopped until it is assigned again. `code` is an error code, `detail` names no content. */
export interface ParkedPartition {
  readonly log: string;
  readonly code: string;
  readonly detail: string;
}

export function toParkedEvent({ log, code, detail }: ParkedPartition, nowMs: number): NativeEvent {
  return {
    type: 'partition.parked',
    occurred_at: toInstant(nowMs),
    facts: { success: false, reason: code },
    content: { log, detail },
  };
}
