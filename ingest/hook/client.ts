/**
 * The hook client: one event on standard input → a file in the spool → the collector. An agent waits for it, so it
 * is bounded in time; it is built into one file that stands alone, so it imports nothing but the platform.
 * Invariant: an event is in the spool before it is sent and leaves it only when the collector has answered for it.
 */
import { EVENT_PATH, openCollector, type Collector } from './collector.ts';
import { drain } from './drain.ts';
import { codeOf } from './error-code.ts';
import { readSettings, USAGE, type Settings } from './settings.ts';
import { openSpool, type Spool } from './spool.ts';
import type { HookWorld, LossReason } from './world.ts';

/** Far above what a collector takes; bounds the memory of the client. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;

/** Handles one event; resolves to the exit code and never rejects. */
export async function runHook(world: HookWorld): Promise<number> {
  let lost: string | undefined;
  try {
    const settings = readSettings(world);
    if (settings === undefined) world.print(USAGE);
    else lost = await handleEvent(settings, world);
  } catch (error) {
    lost = codeOf(error);
  }
  if (lost === undefined) return 0;
  world.note(`affidavit hook: the event was neither delivered nor spooled: ${lost}\n`);
  return world.argv.includes('--enforce') ? 2 : 0;
}

/** Resolves to why the event is gone, or undefined if it is delivered, spooled, or there was none. */
async function handleEvent(settings: Settings, world: HookWorld): Promise<LossReason | undefined> {
  // A share of the limit is left for writing, and a smaller one for the process to end.
  const remainingMs = (share: number) => settings.limitMs * share - world.elapsedMs();
  const event = await readInput(world, remainingMs(0.75));
  const collector = openCollector(settings, world, () => (world.stop.aborted ? 0 : remainingMs(0.85)));
  try {
    const spool = openSpool(settings, world);
    if (spool !== undefined) return await spoolAndSend(event, spool, collector, world);
    if (event.length === 0 || (await collector.isTaken(EVENT_PATH, event, world.newId()))) return undefined;
    return 'spool_unusable';
  } finally {
    collector.close();
  }
}

/**
 * Without an event it sends what waits. In a back-off window it only spools; not tried are only events that are
 * kept, so one without room is sent all the same, and so is what waits when that alone is asked for.
 */
async function spoolAndSend(
  event: Buffer,
  spool: Spool,
  collector: Collector,
  world: HookWorld,
): Promise<LossReason | undefined> {
  if (event.length > MAX_EVENT_BYTES) return spool.losses.count('too_large');
  const first = event.length === 0 ? undefined : spool.append(event);
  if (first !== undefined && spool.backoff.isOn()) return undefined;
  await drain(spool, collector, world);
  if (event.length === 0) return undefined;
  // What was just sent may have made room.
  const kept = first ?? spool.append(event);
  // Out of order is better than not at all.
  if (kept === undefined && (await collector.isTaken(EVENT_PATH, event, world.newId()))) return undefined;
  if (kept === undefined) return spool.losses.count('spool_full');
  if (first === undefined) await drain(spool, collector, world);
  return spool.refused.get(kept.name);
}

/** All of standard input, or what came of it until the time is up, the process is to end, or it is too much. */
function readInput({ stdin, stop }: HookWorld, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const finish = () => {
      clearTimeout(timer);
      stdin.destroy();
      resolve(Buffer.concat(pieces));
    };
    const timer = setTimeout(finish, Math.max(0, timeoutMs));
    stop.addEventListener('abort', finish);
    stdin.on('error', finish).on('end', finish);
    stdin.on('data', (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_EVENT_BYTES || stop.aborted) finish();
    });
  });
}
