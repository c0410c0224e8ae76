/** Events of the program about its own sealing, in the shape of `/v1/events`. */
import { toInstant } from './clock.ts';
import type { NativeEvent } from './native-event.ts';

/** A clock that is behind the time at which the newest bundle of a log was integrated. */
export interface ClockStep {
  /** The time of the newest bundle. Bundles keep it until the clock has caught up. */
  readonly integrated_at: string;
  readonly behind_ms: number;
}

export function toClockStepEvent(log: string, { integrated_at, behind_ms }: ClockStep): NativeEvent {
  return {
    type: 'clock.stepped',
    facts: { success: false, reason: 'behind', duration_ms: behind_ms },
    content: { log, integrated_at },
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
