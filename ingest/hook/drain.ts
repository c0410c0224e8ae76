import { NATIVE_PATH, PATHS, type Collector } from './collector.ts';
import { codeOf } from './error-code.ts';
import { takeLock } from './lock.ts';
import type { Rhythm } from './heartbeat.ts';
import type { Spool } from './spool.ts';
import type { HookWorld } from './world.ts';

/**
 * Sends what the spool holds, oldest first, until it is empty, the time is up or the collector does not take it.
 * One process at a time does so; the others leave their events to it.
 */
export async function drain(
  spool: Spool,
  collector: Collector,
  heartbeat: Rhythm,
  world: HookWorld,
): Promise<void> {
  try {
    let goesOn = true;
    let rhythm: Rhythm | undefined = heartbeat;
    // Looked at again after the lock is given back: who found it taken has left its event behind.
    while (goesOn) {
      const release = collector.hasTime() ? takeLock(spool.lock, world) : undefined;
      if (release === undefined) return;
      const sending = sendAll(spool, collector, rhythm).finally(() => settleBackoff(spool, collector));
      goesOn = (await sending.finally(release)) && spool.list().length > 0;
      // One that was asked for is one.
      rhythm = undefined;
    }
  } catch (error) {
    world.note(`affidavit hook: the spool cannot be sent: ${codeOf(error)}\n`);
  }
}

/** Under a lock, so that one process at a time writes it. Only silence costs an agent its whole limit. */
export function settleBackoff({ backoff }: Spool, collector: Collector): void {
  const hearing = collector.hearing();
  if (hearing === 'silent') backoff.begin();
  else if (hearing === 'answered') backoff.end();
}

/** Resolves to whether all was sent. */
async function sendAll(spool: Spool, collector: Collector, rhythm: Rhythm | undefined): Promise<boolean> {
  spool.recover();
  for (let entries = spool.list(); entries.length > 0; entries = spool.list()) {
    for (const entry of entries) {
      const body = spool.read(entry);
      if (body === undefined) continue;
      const fate = await collector.post(PATHS[entry.kind], body, entry);
      if (fate === 'later') return false;
      // Killed before this line, the event is sent again with the same key, and the collector knows it.
      if (fate === 'taken') spool.remove(entry);
      else spool.refuse(entry, fate);
    }
  }
  return (await sendLosses(spool, collector)) && sendHeartbeat(spool, collector, rhythm);
}

/** With the same bytes until they are acknowledged: each loss is told once. */
async function sendLosses({ losses }: Spool, collector: Collector): Promise<boolean> {
  const report = losses.takeReport();
  if (report === undefined) return true;
  if (!(await collector.isTaken(NATIVE_PATH, Buffer.from(report), { name: '' }))) return false;
  losses.settleReport();
  return true;
}

/** One that the collector will never take is not sent again: the next one tells where the numbers are then. */
async function sendHeartbeat(
  { heartbeat }: Spool,
  collector: Collector,
  rhythm: Rhythm | undefined,
): Promise<boolean> {
  const records = rhythm && heartbeat.take(rhythm);
  if (records === undefined) return true;
  if ((await collector.post(NATIVE_PATH, Buffer.from(records), { name: '' })) === 'later') return false;
  heartbeat.settle();
  return true;
}
