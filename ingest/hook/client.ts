/**
 * The hook client: one event on standard input → a file in the spool → the collector. An agent waits for the client,
 * so its time is bounded. It is built into one file that needs no other, so it imports only the platform.
 * Invariant: an event is in the spool before it is sent and leaves it only when the collector has answered for it.
 */
import { Collector, PATHS } from './collector.ts';
import { drain, updateBackoff } from './drain.ts';
import { codeOf } from './error-code.ts';
import { readSettings, USAGE, type Settings } from './settings.ts';
import { openSpool, type Spool } from './spool.ts';
import type { EntryKind, HookWorld, LossReason, Outgoing } from './world.ts';

/** Bounds the memory of the client; far above the size that a collector accepts. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;
/** A process that started late still reads for this time: the event lies in the pipe already. */
const LEAST_READ_MS = 250;

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

/** The bodies that one call delivers: the event, if there is one, and the records of its guards. */
type Bodies = readonly (readonly [EntryKind, Buffer])[];

interface Sending {
  readonly spool: Spool;
  readonly collector: Collector;
  /** Sends all entries of the spool. */
  readonly drain: () => Promise<void>;
}

interface Outcome {
  /** Why the event is gone. */
  readonly lost?: LossReason | undefined;
  /** Why the guards could not judge the event. */
  readonly unjudged?: string | undefined;
}

async function handleInput(settings: Settings, world: HookWorld): Promise<Outcome> {
  // Reading leaves a share of the limit for sending, and sending leaves one for the process to end.
  const remainingMs = (share: number) => settings.limitMs * share - world.elapsedMs();
  const input = await readEvent(settings, world, remainingMs(0.75));
  const { event, isMissing } = input;
  const judgement = await judgeInput(input, settings, world);
  // The answer is printed first: the agent waits for it, and delivery can take until the limit.
  if (judgement?.answer !== undefined) world.print(`${judgement.answer}\n`);
  const bodies: Bodies = [
    ...(event.length === 0 ? [] : [['event', event] as const]),
    ...(judgement?.records ?? []).map((body) => ['native', body] as const),
  ];
  const collector = new Collector(settings, world, () => (world.stop.aborted ? 0 : remainingMs(0.85)));
  try {
    const lost = await deliver(event, bodies, { settings, collector, isMissing }, world);
    return { lost, unjudged: judgement?.failure };
  } finally {
    collector.close();
  }
}

/** The event of one call; empty where there is none. */
interface Input {
  readonly event: Buffer;
  /** Whether an open input announced an event that did not arrive. */
  readonly isMissing: boolean;
}

/** An open input that stays silent may be an agent that writes late. A terminal or a timer writes no event. */
async function readEvent({ isHeartbeat }: Settings, world: HookWorld, remainingMs: number): Promise<Input> {
  if (isHeartbeat) return { event: (await readInput(world, 0)).event, isMissing: false };
  const { event, hasEnded } = await readInput(world, Math.max(remainingMs, LEAST_READ_MS));
  return { event, isMissing: event.length === 0 && !hasEnded && !world.stdin.isTTY };
}

/** The guards are loaded only if the settings name a file of guards and there is an event. */
async function judgeInput({ event, isMissing }: Input, { guards }: Settings, world: HookWorld) {
  if (guards === undefined) return undefined;
  if (isMissing) return { answer: undefined, records: [], failure: 'no event arrived within the limit' };
  if (event.length === 0) return undefined;
  const { judge } = await import('./guard.ts');
  return judge(event, guards, world);
}

interface Delivering {
  readonly settings: Settings;
  readonly collector: Collector;
  readonly isMissing: boolean;
}

/** Resolves to the reason of a loss, or undefined if everything is delivered or spooled, or there was nothing. */
async function deliver(
  event: Buffer,
  bodies: Bodies,
  { settings, collector, isMissing }: Delivering,
  world: HookWorld,
): Promise<LossReason | undefined> {
  const spool = openSpool(settings, world);
  if (spool === undefined) {
    if (isMissing) return 'incomplete';
    let areAllAccepted = true;
    for (const [kind, body] of bodies) {
      const isAccepted = await collector.isAccepted(PATHS[kind], body, { name: world.newId() });
      areAllAccepted &&= isAccepted;
    }
    return areAllAccepted ? undefined : 'spool_unusable';
  }
  // Every event gets its number before its fate is known, so a gap shows an event that was lost, or still waits.
  if (isMissing) spool.sequence.next();
  const missing = isMissing ? spool.losses.count('incomplete') : undefined;
  const outgoing = bodies.map(([kind, body]) => ({ kind, body, numbered: spool.sequence.next() }));
  const sending = { spool, collector, drain: () => drain(spool, collector, settings.heartbeat, world) };
  const lost = await spoolAndSend(outgoing, sending, world);
  if (settings.sendsTranscripts) await sendTranscriptsOf(event, settings, { spool, collector }, world);
  return missing ?? lost;
}

/** The code is loaded only if transcripts are asked for. In a back-off window transcripts wait, as events do. */
async function sendTranscriptsOf(
  event: Buffer,
  settings: Settings,
  { spool, collector }: { readonly spool: Spool; readonly collector: Collector },
  world: HookWorld,
): Promise<void> {
  const { sendTranscripts } = await import('./transcripts.ts');
  const before = collector.contact;
  const mayTry = before !== 'silent' && (event.length === 0 || !spool.backoff.isOn());
  await sendTranscripts(event, settings, { spool, collector, mayTry }, world);
  if (before === 'untried') updateBackoff(spool, collector);
}

/** Prints the header for the agent's telemetry, which asks a program for it if its settings must not hold a token. */
function printHeaders({ token }: Settings, world: HookWorld): number {
  if (token === undefined) {
    world.note('affidavit hook: there is no token\n');
    return 1;
  }
  world.print(`${JSON.stringify({ Authorization: `Bearer ${token}` })}\n`);
  return 0;
}

/**
 * Puts the events of one call into the spool and sends it:
 * - without an event, it sends the waiting entries, also in a back-off window;
 * - in a back-off window, it sends nothing if the spool took all events;
 * - an event that finds no room in the spool is always sent, after the waiting entries.
 */
async function spoolAndSend(
  outgoing: readonly Outgoing[],
  sending: Sending,
  world: HookWorld,
): Promise<LossReason | undefined> {
  const { spool, collector } = sending;
  const fitting = outgoing.filter(({ body }) => body.length <= MAX_EVENT_BYTES);
  if (fitting.length < outgoing.length) {
    await spoolAndSend(fitting, sending, world);
    return spool.losses.count('too_large');
  }
  const kept = outgoing.map((one) => spool.append(one));
  if (kept.length > 0 && kept.every((entry) => entry !== undefined) && spool.backoff.isOn()) return undefined;
  await sending.drain();
  let lost: LossReason | undefined;
  let isAnyNew = false;
  for (const [at, one] of outgoing.entries()) {
    // The entries just sent may have made room.
    const entry = kept[at] ?? spool.append(one);
    isAnyNew ||= entry !== kept[at];
    kept[at] = entry;
    // Without room the event is sent out of order, which is better than not at all.
    const delivery = { name: world.newId(), numbered: one.numbered };
    if (entry !== undefined || (await collector.isAccepted(PATHS[one.kind], one.body, delivery))) continue;
    lost = spool.losses.count('spool_full');
  }
  if (isAnyNew) await sending.drain();
  return (
    lost ?? kept.map((entry) => spool.refused.get(entry?.name ?? '')).find((reason) => reason !== undefined)
  );
}

interface ReadInput {
  readonly event: Buffer;
  /** Whether the writer closed the input. */
  readonly hasEnded: boolean;
}

/** All of standard input, or the part that arrived until the time is up, the process is to end, or it is too much. */
function readInput({ stdin, stop }: HookWorld, timeoutMs: number): Promise<ReadInput> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    let hasEnded = false;
    const finish = () => {
      clearTimeout(timer);
      stdin.destroy();
      resolve({ event: Buffer.concat(pieces), hasEnded });
    };
    const timer = setTimeout(finish, Math.max(0, timeoutMs));
    stop.addEventListener('abort', finish);
    stdin.on('error', finish).on('end', () => {
      hasEnded = true;
      finish();
    });
    stdin.on('data', (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_EVENT_BYTES || stop.aborted) finish();
    });
  });
}
