import { NATIVE_PATH, PATHS, type Collector } from './collector.ts';
import { codeOf } from './error-code.ts';
import { takeLock } from './lock.ts';
import type { HeartbeatSchedule } from './heartbeat.ts';
import type { Spool } from './spool.ts';
import type { HookWorld } from './world.ts';

/**
 * Sends the entries of the spool, oldest first, until it is empty, the time is up or the collector does not take one.
 * One process at a time sends; the others leave their events to it.
 */
export async function drain(
  spool: Spool,
  collector: Collector,
  schedule: HeartbeatSchedule,
  world: HookWorld,
): Promise<void> {
  try {
    let hasMore = true;
    let dueHeartbeat: HeartbeatSchedule | undefined = schedule;
    // The spool is listed again after the lock is released: a process that found it locked has left its event there.
    while (hasMore) {
      const release = collector.hasTime() ? takeLock(spool.lock, world) : undefined;
      if (release === undefined) return;
      const sending = sendAll(spool, collector, dueHeartbeat).finally(() => updateBackoff(spool, collector));
      hasMore = (await sending.finally(release)) && spool.list().length > 0;
      // One call sends one heartbeat at most.
      dueHeartbeat = undefined;
    }
  } catch (error) {
    world.note(`affidavit hook: the spool cannot be sent: ${codeOf(error)}\n`);
  }
}

/**
 * Called under a lock, so that one process at a time writes the window. Only a collector that does not answer makes an
 * agent wait for the whole limit, so only silence begins a window.
 */
export function updateBackoff({ backoff }: Spool, { contact }: Collector): void {
  if (contact === 'silent') backoff.begin();
  else if (contact === 'answered') backoff.end();
}

/** Resolves to whether everything was sent. */
async function sendAll(
  spool: Spool,
  collector: Collector,
  schedule: HeartbeatSchedule | undefined,
): Promise<boolean> {
  spool.recover();
  for (let entries = spool.list(); entries.length > 0; entries = spool.list()) {
    for (const entry of entries) {
      const body = spool.read(entry);
      if (body === undefined) continue;
      const result = await collector.post(PATHS[entry.kind], body, entry);
      if (result === 'retry') return false;
      // If the process dies here, the next call sends the event again under the same key, and the collector knows it.
      if (result === 'accepted') spool.remove(entry);
      else spool.refuse(entry, result);
    }
  }
  return (await sendLosses(spool, collector)) && sendHeartbeat(spool, collector, schedule);
}

/** Sends the report with the same bytes until it is acknowledged, so that each loss is reported once. */
async function sendLosses({ losses }: Spool, collector: Collector): Promise<boolean> {
  const report = losses.takeReport();
  if (report === undefined) return true;
  if (!(await collector.isAccepted(NATIVE_PATH, Buffer.from(report), { name: '' }))) return false;
  losses.settleReport();
  return true;
}

/** A heartbeat that the collector will never take is not sent again: the next one reports newer numbers. */
async function sendHeartbeat(
  { heartbeat }: Spool,
  collector: Collector,
  schedule: HeartbeatSchedule | undefined,
): Promise<boolean> {
  const records = schedule && heartbeat.take(schedule);
  if (records === undefined) return true;
  if ((await collector.post(NATIVE_PATH, Buffer.from(records), { name: '' })) === 'retry') return false;
  heartbeat.settle();
  return true;
}
