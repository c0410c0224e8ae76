/** What lasts over all rounds: one data folder, one client, one judge, and a clock that can be set. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ADMIN_TOKEN, getAll, getJson } from '../support/server.ts';
import { createArchiveReader, openHead, type ArchiveReader } from './archive-reader.ts';
import { createClientMemory, startLoad, type ClientMemory, type RunningLoad } from './client.ts';
import { createJudge, type Judge } from './judge.ts';
import type { PlannedRound } from './plan.ts';
import { eventOf, toolUseId } from './requests.ts';
import { startServerProcess, verifyArchive, type Addresses, type ServerProcess } from './server-process.ts';

export interface Arena {
  readonly data: string;
  readonly judge: Judge;
  readonly reader: ArchiveReader;
  readonly memory: ClientMemory;
  readonly clock: SteppedClock;
  start(): ServerProcess;
  /** Ends whatever server and load are left over. */
  halt(): Promise<void>;
  /** Hands over a load that `halt` must end. */
  keep(running: RunningLoad): void;
}

export interface SteppedClock {
  now(): number;
  step(ms: number): void;
}

/** Something that is not as it must be and that makes it useless to go on. */
export class Stuck extends Error {}

export interface Served extends Addresses {
  readonly server: ServerProcess;
}

interface Readiness {
  readonly ready: boolean;
  readonly lag: { readonly envelopes: number };
}

const POLL_MS = 25;
const DRAIN_DEADLINE_MS = 60_000;
const FILLER_LENGTH = 200;
const SPOT_CHECKS = 8;

export function createArena(folder: string, entry: string): Arena {
  const data = join(folder, 'data');
  const clockFile = join(folder, 'clock-ahead-ms');
  let aheadMs = 0;
  let server: ServerProcess | undefined;
  let running: RunningLoad | undefined;
  const step = (ms: number): void => {
    aheadMs += ms;
    writeFileSync(clockFile, String(aheadMs));
  };
  step(0);
  return {
    data,
    judge: createJudge(),
    reader: createArchiveReader(data),
    memory: createClientMemory(),
    clock: { now: () => Date.now() + aheadMs, step },
    start: () =>
      (server = startServerProcess({ entry, data, clockFile, logFile: join(folder, 'server.log') })),
    keep: (started) => void (running = started),
    async halt() {
      server?.signal('SIGKILL');
      await server?.exited;
      await running?.stop();
    },
  };
}

/** Starts the server and waits until it serves; a start that needs help is a false alarm and the end. */
export async function serve(arena: Arena): Promise<Served> {
  const server = arena.start();
  const addresses = await server.serving;
  if (addresses !== undefined) return { ...addresses, server };
  const how = server.isAlive() ? 'passed its deadline' : 'ended';
  server.signal('SIGKILL');
  await server.exited;
  throw new Stuck(`a start ${how}: ${server.stderr().trim()}`);
}

export function load(
  arena: Arena,
  served: Served,
  round: PlannedRound,
  fillerLength = FILLER_LENGTH,
): RunningLoad {
  const { memory, judge } = arena;
  const { loadSeed: seed, connections } = round;
  const running = startLoad({ port: served.ingestPort, seed, connections, fillerLength, memory, judge });
  arena.keep(running);
  return running;
}

/** SIGKILL, then the end of what was still on its way. */
export async function kill(served: Served, running?: RunningLoad): Promise<void> {
  if (!served.server.isAlive()) {
    await running?.stop();
    throw new Stuck(`the server ended by itself: ${served.server.stderr().trim()}`);
  }
  served.server.signal('SIGKILL');
  await served.server.exited;
  await running?.stop();
}

/** Waits without load until all that was acknowledged is sealed and published. */
export async function drain(served: Served): Promise<void> {
  const deadline = performance.now() + DRAIN_DEADLINE_MS;
  while (performance.now() < deadline) {
    const state = await readReadiness(served);
    if (state?.ready === true && state.lag.envelopes === 0) return;
    await delay(POLL_MS);
  }
  const state = JSON.stringify(await readReadiness(served));
  throw new Stuck(`not sealed within ${DRAIN_DEADLINE_MS} ms, ${state}: ${served.server.stderr().trim()}`);
}

export async function readReadiness({ apiUrl }: Served): Promise<Readiness | undefined> {
  const answer = await fetch(`${apiUrl}/readyz`).catch(() => undefined);
  return answer === undefined ? undefined : ((await answer.json()) as Readiness);
}

/** Drains, then judges what the archive holds and a few rows of the record store. */
export async function judgeDrained(arena: Arena, served: Served): Promise<void> {
  await drain(served);
  await readArchive(arena);
  arena.judge.drained();
  const recent = arena.memory.answered.slice(-SPOT_CHECKS);
  for (const { first } of recent) {
    const page = await getJson<{ data: unknown[] }>(served, `/v1/records?tool_use_id=${toolUseId(first)}`);
    arena.judge.shown(first, page.data.length);
  }
}

/** Every row of the record store against every acknowledgement; the log must be drained. */
export async function judgeRows(arena: Arena, served: Served): Promise<void> {
  const rows = await getAll<{ facts: { tool_use_id?: string } }>(served, '/v1/records?limit=1000');
  const events = rows.map(({ facts }) => eventOf(facts.tool_use_id));
  arena.judge.listed(events.filter((event) => event !== undefined));
}

/** Notes the head that anybody with access could have kept just now. */
export async function noteHead(arena: Arena, { apiUrl }: Served): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await fetch(`${apiUrl}/v1/log/checkpoint`, { headers }).catch(() => undefined);
  if (answer?.status !== 200) return;
  const note = await answer.text().catch(() => undefined);
  if (note !== undefined) arena.judge.saw(openHead(note, await arena.reader.vkey()));
}

export async function readArchive(arena: Arena): Promise<void> {
  for await (const bundle of arena.reader.newBundles()) arena.judge.sealed(bundle);
}

/**
 * With no process left: the archive verifies, and every head seen so far lies on its log. The key is pinned from its
 * first signature on: until then a pinned key has nothing to say, and a process that died before it is no alarm.
 */
export async function judgeArchive(arena: Arena, entry: string): Promise<void> {
  const vkey = await arena.reader.vkey();
  // A first start that was cut short leaves no log to verify.
  if (vkey === undefined) return;
  const head = await arena.reader.newestHead();
  if (head !== undefined) arena.judge.saw(head);
  const pinned = arena.judge.hasSeenHead() ? vkey : undefined;
  const { code, report } = await verifyArchive(entry, join(arena.data, 'archive'), pinned);
  if (code !== 0 || !report.ok) {
    const failures = JSON.stringify(report.failures.slice(0, 3));
    throw new Stuck(`verification ended with ${String(code)}: ${failures}`);
  }
  await readArchive(arena);
  const { tree_size, root_hash } = report;
  arena.judge.checkHeads(tree_size === null || root_hash === null ? undefined : { tree_size, root_hash });
}
