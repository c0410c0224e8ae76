/** Whether a signed lock keeps its object as long and as strictly as the signed policy of the log promises. Pure. */
import { holds, type ArchiveLock } from '../../schemas/archive-lock.ts';
import type { LogPolicy } from '../../schemas/bundle.ts';
import { toInstant } from '../../schemas/clock.ts';
import type { RetentionClass } from '../../schemas/retention.ts';

const DAY_MS = 86_400_000;

/** A lock, the class of its object, and the signed instant that the floor counts from. */
export interface FlooredLock {
  readonly lock: ArchiveLock;
  readonly retentionClass: RetentionClass;
  readonly at: string;
}

/** Whether the lock ends after its instant, no earlier than its floor, in the mode of the policy or a stricter one. */
export function keepsFloor(policy: LogPolicy, { lock, retentionClass, at }: FlooredLock): boolean {
  const atMs = Date.parse(at);
  const floorMs = atMs + policy.archive_days[retentionClass] * DAY_MS;
  const isAhead = Date.parse(lock.retain_until) > atMs;
  return isAhead && holds(lock, { mode: policy.lock_mode, retain_until: toInstant(floorMs) });
}
