/** One fault each: from a server that serves, or is about to, to a process that is gone. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  drain,
  judgeDrained,
  kill,
  load,
  noteHead,
  readReadiness,
  serve,
  Stuck,
  readArchive,
  type Arena,
  type Served,
} from './arena.ts';
import type { FaultKind, PlannedRound } from './plan.ts';
import { openSmallDisk, type SmallDisk } from './small-disk.ts';

export interface Struck {
  /** What the planned fault could not be had for; another one struck instead. */
  readonly replacedBecause?: string;
  /** Starts with a clock clearly behind the log, after which everything was sealed. */
  readonly sealedBehind?: number;
}

type Strike = (arena: Arena, round: PlannedRound) => Promise<Struck>;

/** SIGTERM must end it, with exit code 0, within the deadline it gives itself and a little more. */
const STOP_DEADLINE_MS = 25_000;
const REFUSAL_DEADLINE_MS = 30_000;
const PUSH_BACK_DEADLINE_MS = 6_000;
/** A commit that hangs is given up after 30 s, a failed batch is tried again after 5 s at most. */
const RECOVERY_DEADLINE_MS = 45_000;
const POLL_MS = 25;
const MAX_FIRST_ACK_MS = 5_000;
const LARGE_FILLER = 8_000;
/** More than the server forgives a slewing clock, and more than passes between two readings of ours. */
const CLEARLY_BEHIND_MS = 6_000;

export const STRIKES: Readonly<Record<FaultKind, Strike>> = {
  async kill_loaded(arena, round) {
    const { served, running } = await serveLoaded(arena, round);
    await kill(served, running);
    return {};
  },
  async kill_first_ack(arena, round) {
    const served = await serveDrained(arena, round);
    const running = load(arena, served, round);
    await Promise.race([running.firstAck, deadline(MAX_FIRST_ACK_MS)]);
    await kill(served, running);
    return {};
  },
  async kill_starting(arena, round) {
    for (const ms of round.startKillsMs) {
      const server = arena.start();
      await Promise.race([deadline(ms), server.exited]);
      if (!server.isAlive()) throw new Stuck(`a start ended: ${server.stderr().trim()}`);
      server.signal('SIGKILL');
      await server.exited;
    }
    return {};
  },
  async kill_stopping(arena, round) {
    const { served, running } = await serveLoaded(arena, round);
    served.server.signal('SIGTERM');
    await Promise.race([deadline(round.holdMs), served.server.exited]);
    served.server.signal('SIGKILL');
    await served.server.exited;
    await running.stop();
    return {};
  },
  async kill_idle(arena, round) {
    const { served, running } = await serveLoaded(arena, round);
    await running.stop();
    await judgeDrained(arena, served);
    await kill(served);
    return {};
  },
  async stop_continue(arena, round) {
    const { served, running } = await serveLoaded(arena, round);
    served.server.signal('SIGSTOP');
    await delay(round.holdMs);
    if (!round.killStopped) {
      served.server.signal('SIGCONT');
      await delay(round.holdMs);
    }
    await kill(served, running);
    return {};
  },
  async terminate(arena, round) {
    const { served, running } = await serveLoaded(arena, round);
    await stopCleanly(arena, served);
    await running.stop();
    return {};
  },
  async disk_full(arena, round) {
    const disk = await openSmallDisk(arena.data);
    if ('reason' in disk) {
      await STRIKES.kill_loaded(arena, round);
      return { replacedBecause: `no small file system to fill: ${disk.reason}` };
    }
    try {
      await fillWhileLoaded(arena, round, disk);
    } finally {
      await arena.halt();
      await disk.remove();
    }
    return {};
  },
  async clock_step(arena, round) {
    const { served, running } = await serveLoaded(arena, round);
    arena.clock.step(round.stepMs);
    await delay(round.holdMs);
    await kill(served, running);
    if (round.stepMs > 0 && round.stepBack) arena.clock.step(-round.stepMs);
    return { sealedBehind: await sealBehindLog(arena, round) };
  },
};

export async function stopCleanly(arena: Arena, served: Served): Promise<void> {
  served.server.signal('SIGTERM');
  const ended = await Promise.race([served.server.exited, deadline(STOP_DEADLINE_MS)]);
  if (ended === undefined) {
    await kill(served);
    arena.judge.falseAlarm(`a stop passed ${STOP_DEADLINE_MS} ms: ${served.server.stderr().trim()}`);
  } else if (ended.code !== 0) {
    const how = `${String(ended.code)} ${String(ended.signal)}`;
    arena.judge.falseAlarm(`a stop ended with ${how}: ${served.server.stderr().trim()}`);
  }
}

async function serveDrained(arena: Arena, round: PlannedRound): Promise<Served> {
  const served = await serve(arena);
  if (round.drainFirst) await judgeDrained(arena, served);
  return served;
}

async function serveLoaded(arena: Arena, round: PlannedRound, fillerLength?: number) {
  const served = await serveDrained(arena, round);
  const running = load(arena, served, round, fillerLength);
  await delay(round.loadMs / 2);
  await noteHead(arena, served);
  await delay(round.loadMs / 2);
  return { served, running };
}

async function fillWhileLoaded(arena: Arena, round: PlannedRound, disk: SmallDisk): Promise<void> {
  const { served, running } = await serveLoaded(arena, round, LARGE_FILLER);
  const pushedBackBefore = arena.memory.pushedBack;
  await disk.fill();
  // Pages that the event log has free inside its file may last a while: what is acknowledged until then is durable.
  await until(() => arena.memory.pushedBack > pushedBackBefore, PUSH_BACK_DEADLINE_MS);
  await delay(round.holdMs);
  if (!served.server.isAlive()) {
    await running.stop();
    throw new Stuck(`the server ended on a full disk: ${served.server.stderr().trim()}`);
  }
  if (round.diskVariant === 'recover') {
    await disk.free();
    await recoverByItself(arena, served);
    await running.stop();
    await drain(served);
    await stopCleanly(arena, served);
    return;
  }
  await kill(served, running);
  if (round.diskVariant === 'start') await startOnFullDisk(arena);
}

/** New acknowledgements and a ready server, without a restart. */
async function recoverByItself(arena: Arena, served: Served): Promise<void> {
  const acksBefore = arena.memory.acks;
  const isBack = async (): Promise<boolean> =>
    arena.memory.acks > acksBefore && (await readReadiness(served))?.ready === true;
  if (!(await until(isBack, RECOVERY_DEADLINE_MS)))
    throw new Stuck(`space was there again, the server did not recover: ${served.server.stderr().trim()}`);
}

/** It may serve or refuse with a reason; it may not hang or die without a word. */
async function startOnFullDisk(arena: Arena): Promise<void> {
  const server = arena.start();
  const addresses = await Promise.race([server.serving, deadline(REFUSAL_DEADLINE_MS)]);
  if (server.isAlive()) {
    if (addresses === undefined) arena.judge.falseAlarm('a start on a full disk neither served nor refused');
    server.signal('SIGKILL');
    await server.exited;
    return;
  }
  const { code } = await server.exited;
  if (code !== 1 || !server.stderr().includes('affidavit: '))
    arena.judge.falseAlarm(`a start on a full disk ended with ${String(code)}: ${server.stderr().trim()}`);
}

/**
 * A clock that was ahead once must not stop the log: where it is now clearly behind, the next start seals. Gives how many
 * such starts there were.
 */
async function sealBehindLog(arena: Arena, round: PlannedRound): Promise<number> {
  await readArchive(arena);
  if (arena.reader.integratedAtMs() - arena.clock.now() <= CLEARLY_BEHIND_MS) return 0;
  const { served, running } = await serveLoaded(arena, round);
  await running.stop();
  await judgeDrained(arena, served);
  await kill(served);
  return 1;
}

/** Keeps no process alive that is done otherwise. */
function deadline(ms: number): Promise<undefined> {
  return delay(ms, undefined, { ref: false });
}

async function until(isSo: () => boolean | Promise<boolean>, deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    if (await isSo()) return true;
    await delay(POLL_MS);
  }
  return false;
}
