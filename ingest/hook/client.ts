/**
 * The hook client: one event on standard input → a file in the spool → the collector. An agent waits for it, so it
 * is bounded in time; it is built into one file that stands alone, so it imports nothing but the platform.
 * Invariant: an event is in the spool before it is sent and leaves it only when the collector has answered for it.
 */
import { openCollector, PATHS, type Collector } from './collector.ts';
import { drain, settleBackoff } from './drain.ts';
import { codeOf } from './error-code.ts';
import { readSettings, USAGE, type Settings } from './settings.ts';
import { openSpool, type Spool } from './spool.ts';
import type { EntryKind, HookWorld, LossReason, Outgoing } from './world.ts';

/** Far above what a collector takes; bounds the memory of the client. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;

/** Handles one event; resolves to the exit code and never rejects. */
export async function runHook(world: HookWorld): Promise<number> {
  let outcome: Outcome = {};
  try {
    const settings = readSettings(world);
    if (settings === undefined) world.print(USAGE);
    else if (settings.printsHeaders) return printHeaders(settings, world);
    else outcome = await handleInput(settings, world);
  } catch (error) {
    outcome = { lost: codeOf(error) };
  }
  const { lost, unjudged } = outcome;
  if (lost !== undefined) {
    world.note(`affidavit hook: the event was neither delivered nor spooled: ${lost}\n`);
  }
  if (unjudged !== undefined) world.note(`affidavit hook: the guards are out of order: ${unjudged}\n`);
  return (lost ?? unjudged) !== undefined && world.argv.includes('--enforce') ? 2 : 0;
}

/** What one call has to deliver: the event, if there is one, and what the guards say of it. */
type Bodies = readonly (readonly [EntryKind, Buffer])[];

interface Way {
  readonly spool: Spool;
  readonly collector: Collector;
  /** Sends what the spool holds. */
  readonly send: () => Promise<void>;
}

interface Outcome {
  /** Why the event is gone. */
  readonly lost?: LossReason | undefined;
  /** Why the guards could not judge it. */
  readonly unjudged?: string | undefined;
}

async function handleInput(settings: Settings, world: HookWorld): Promise<Outcome> {
  // A share of the limit is left for writing, and a smaller one for the process to end.
  const remainingMs = (share: number) => settings.limitMs * share - world.elapsedMs();
  const event = await readInput(world, settings.isHeartbeat ? 0 : remainingMs(0.75));
  const judgement = event.length === 0 ? undefined : await judgeEvent(event, settings, world);
  // First of all: the agent waits for it, and what comes behind can take until the limit.
  if (judgement?.answer !== undefined) world.print(`${judgement.answer}\n`);
  const bodies: Bodies = [
    ...(event.length === 0 ? [] : [['event', event] as const]),
    ...(judgement?.records ?? []).map((body) => ['native', body] as const),
  ];
  const collector = openCollector(settings, world, () => (world.stop.aborted ? 0 : remainingMs(0.85)));
  try {
    const lost = await deliver(event, bodies, { settings, collector }, world);
    return { lost, unjudged: judgement?.failure };
  } finally {
    collector.close();
  }
}

/** Loaded only where guards are asked for. */
async function judgeEvent(event: Buffer, { guards }: Settings, world: HookWorld) {
  if (guards === undefined) return undefined;
  const { judge } = await import('./guard.ts');
  return judge(event, guards, world);
}

/** Resolves to why something is gone, or undefined if all is delivered or spooled, or there was nothing. */
async function deliver(
  event: Buffer,
  bodies: Bodies,
  { settings, collector }: { readonly settings: Settings; readonly collector: Collector },
  world: HookWorld,
): Promise<LossReason | undefined> {
  const spool = openSpool(settings, world);
  if (spool === undefined) {
    let isAllTaken = true;
    for (const [kind, body] of bodies) {
      isAllTaken = (await collector.isTaken(PATHS[kind], body, { name: world.newId() })) && isAllTaken;
    }
    return isAllTaken ? undefined : 'spool_unusable';
  }
  // Whatever becomes of it, it has its number: a gap is what was lost, or waits.
  const outgoing = bodies.map(([kind, body]) => ({ kind, body, numbered: spool.sequence.next() }));
  const send = () => drain(spool, collector, settings.heartbeat, world);
  const lost = await spoolAndSend(outgoing, { spool, collector, send }, world);
  if (settings.sendsTranscripts) await sendTranscriptsOf(event, settings, { spool, collector }, world);
  return lost;
}

/** Loaded only where they are asked for. In a back-off window they wait, as events do. */
async function sendTranscriptsOf(
  event: Buffer,
  settings: Settings,
  { spool, collector }: { readonly spool: Spool; readonly collector: Collector },
  world: HookWorld,
): Promise<void> {
  const { sendTranscripts } = await import('./transcripts.ts');
  const before = collector.hearing();
  const mayTry = before !== 'silent' && (event.length === 0 || !spool.backoff.isOn());
  await sendTranscripts(event, settings, { spool, collector, mayTry }, world);
  if (before === 'untried') settleBackoff(spool, collector);
}

/** For the client's telemetry, which asks a program for its headers where the settings shall not hold a token. */
function printHeaders({ token }: Settings, world: HookWorld): number {
  if (token === undefined) {
    world.note('affidavit hook: there is no token\n');
    return 1;
  }
  world.print(`${JSON.stringify({ Authorization: `Bearer ${token}` })}\n`);
  return 0;
}

/**
 * Without an event it sends what waits. In a back-off window it only spools; not tried are only events that are
 * kept, so one without room is sent all the same, and so is what waits when that alone is asked for.
 */
async function spoolAndSend(
  outgoing: readonly Outgoing[],
  way: Way,
  world: HookWorld,
): Promise<LossReason | undefined> {
  const { spool, collector, send } = way;
  const fitting = outgoing.filter(({ body }) => body.length <= MAX_EVENT_BYTES);
  if (fitting.length < outgoing.length) {
    await spoolAndSend(fitting, way, world);
    return spool.losses.count('too_large');
  }
  const kept = outgoing.map((one) => spool.append(one));
  if (kept.length > 0 && kept.every((entry) => entry !== undefined) && spool.backoff.isOn()) return undefined;
  await send();
  let lost: LossReason | undefined;
  let isAnyNew = false;
  for (const [at, one] of outgoing.entries()) {
    // What was just sent may have made room.
    const entry = kept[at] ?? spool.append(one);
    isAnyNew ||= entry !== kept[at];
    kept[at] = entry;
    // Out of order is better than not at all.
    const delivery = { name: world.newId(), numbered: one.numbered };
    if (entry !== undefined || (await collector.isTaken(PATHS[one.kind], one.body, delivery))) continue;
    lost = spool.losses.count('spool_full');
  }
  if (isAnyNew) await send();
  return (
    lost ?? kept.map((entry) => spool.refused.get(entry?.name ?? '')).find((reason) => reason !== undefined)
  );
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
