/** What happens in the world of a run besides port calls: hand-overs, deaths, clocks, and what operators do. */
import { PipelineError } from '../../schemas/errors.ts';
import { acceptEventLog } from './accept.ts';
import { pickWeighted, type Weighted } from './choices.ts';
import { tryOlderArchive } from './older-archive.ts';
import { assignOrphans, movePartition, putForeignObject } from './partition-events.ts';
import { send } from './senders.ts';
import type { Death } from './scheduler.ts';
import { MAX_CLOCK_AHEAD_MS } from './subject.ts';
import { startProcess, type SimProcess, type World } from './world.ts';

const HOUR_MS = 3_600_000;
/** How far a process gets before it is ended in a write. A batch has about nine. */
const MAX_STEPS_TO_WRITE = 40;
const MAX_SKIPPED_WRITES = 9;

/** The partition goes to a new process. The old one is told, or goes on as if nothing were, or sleeps and goes on later. */
function handOver(world: World): void {
  const { choices, coverage, owner } = world;
  const how = choices.pick(['told', 'zombie', 'sleeping zombie']);
  if (owner?.isAlive === true) {
    world.say(`${owner.name} loses the partition: ${how}`);
    coverage.count(`handed over: ${how}`);
    if (how === 'told') owner.stop.abort('told to stop');
    if (how === 'sleeping zombie') owner.isPaused = true;
  }
  start(world);
}

function start(world: World): void {
  const machine = world.machines[world.choices.below(world.machines.length)] ?? world.machines[0];
  startProcess(world, machine);
}

function wake(world: World): void {
  const sleeping = world.processes.filter(({ isAlive, isPaused }) => isAlive && isPaused);
  const woken = sleeping[world.choices.below(Math.max(sleeping.length, 1))];
  if (woken === undefined) return;
  woken.isPaused = false;
  world.coverage.count('zombie woken');
  world.say(`${woken.name} wakes up`);
}

const alive = ({ processes }: World): SimProcess[] => processes.filter(({ isAlive }) => isAlive);

function killAtRest(world: World): void {
  const there = alive(world);
  const victim = there[world.choices.below(Math.max(there.length, 1))];
  if (victim !== undefined) world.scheduler.kill(victim, undefined, 'before');
}

/** Ends the process of one of the calls under way. */
export function killAtCall(world: World): void {
  const { scheduler, choices } = world;
  const calls = scheduler.enabled();
  const call = calls[choices.below(Math.max(calls.length, 1))];
  if (call === undefined) {
    killAtRest(world);
    return;
  }
  scheduler.kill(call.caller, call, choices.pick<Death>(['before', 'after', 'late']));
}

/** A clock that was ahead comes back to true time, and is then behind the log that it sealed. */
function stepClock(world: World): void {
  const { choices, machines, coverage, say } = world;
  const machine = machines[choices.below(machines.length)] ?? machines[0];
  const by = choices.pick(['set right', 'a second on', 'forward', 'back', 'far ahead']);
  const minutes = (HOUR_MS / 256) * (1 + choices.byte());
  if (by === 'set right') machine.nowMs = world.trueMs;
  if (by === 'a second on') world.trueMs += 1_000;
  if (by === 'a second on') machine.nowMs += 1_000;
  if (by === 'forward') machine.nowMs += minutes;
  if (by === 'back') machine.nowMs -= minutes;
  if (by === 'far ahead') machine.nowMs += MAX_CLOCK_AHEAD_MS + HOUR_MS;
  coverage.count(`clock ${by}`);
  say(`the clock of ${machine.name} is ${by}`);
}

function harmStore({ table, choices, coverage, say }: World): void {
  const how = choices.pick(['copied', 'restored', 'emptied', 'robbed of one statement']);
  if (how === 'copied') table.backUp();
  if (how === 'restored') table.restore();
  if (how === 'emptied') table.empty();
  if (how === 'robbed of one statement' && !table.loseUnit(choices.byte())) return;
  coverage.count(`store ${how}`);
  say(`the record store is ${how}`);
}

/** A process ends when its write can be seen and is not answered. */
async function killInWrite({ scheduler, choices, judge }: World): Promise<void> {
  const skipped = choices.below(MAX_SKIPPED_WRITES);
  for (let step = 0, seen = 0; step < MAX_STEPS_TO_WRITE; step += 1) {
    await scheduler.quiet();
    const calls = scheduler.enabled();
    const write = calls.find(({ options, answer }) => options.isWrite === true && answer === undefined);
    if (write !== undefined && seen >= skipped) {
      scheduler.kill(write.caller, write, 'after');
      return;
    }
    const [next] = calls;
    if (next === undefined || judge.finding() !== undefined) return;
    if (next === write) seen += 1;
    scheduler.proceed(next, 'succeeds');
  }
}

/** All processes of the machine end, one of them perhaps in a write; and what was not flushed may vanish. */
async function losePower(world: World): Promise<void> {
  const { disk, scheduler, choices, coverage, judge, machines, partition, say } = world;
  if (disk === undefined) return;
  await killInWrite(world);
  for (const process of alive(world)) scheduler.kill(process, undefined, 'end');
  partition.closeReceivers();
  const vanished = disk.losePower(choices);
  coverage.count('power lost');
  if (vanished > 0) coverage.count('power lost, writes vanish');
  say(`the machine loses power, and ${vanished} writes that were not flushed vanish`);
  if (!machines.every((machine) => machine.isGuarded()))
    judge.find('vanished', 'the head guard forgot a head of which it said that it is remembered');
}

/** The event log is lost; the receivers go on with the empty one at once, and the operator accepts it now or later. */
function loseEventLog(world: World): void {
  const { partition, choices, coverage, say } = world;
  partition.replace();
  coverage.count('event log replaced');
  say('the event log is lost, an empty one takes its place');
  if (choices.pick(['later', 'now']) === 'now') acceptEventLog(world);
}

function retain({ partition, coverage }: World): void {
  partition.retain();
  coverage.count('retention');
}

function retainAll({ lanes }: World): void {
  for (const { partition } of lanes) partition.retain();
}

function land({ scheduler, choices }: World): void {
  scheduler.land(choices.below(Math.max(scheduler.late.length, 1)));
}

export type Event = (world: World) => void | Promise<void>;

const EVENTS: readonly [Weighted<Event>, ...Weighted<Event>[]] = [
  { what: send, weight: 88 },
  { what: handOver, weight: 36 },
  { what: wake, weight: 30 },
  { what: land, weight: 32 },
  { what: stepClock, weight: 22 },
  { what: harmStore, weight: 22 },
  { what: killAtRest, weight: 12 },
  { what: tryOlderArchive, weight: 8 },
  { what: retain, weight: 8 },
  { what: loseEventLog, weight: 4 },
  { what: acceptEventLog, weight: 4 },
];

/** Nothing lands late where a write ends with its process. */
const EVENTS_ON_DISK: typeof EVENTS = [
  { what: send, weight: 88 },
  { what: handOver, weight: 36 },
  { what: wake, weight: 20 },
  { what: land, weight: 8 },
  { what: losePower, weight: 30 },
  { what: killInWrite, weight: 38 },
  { what: harmStore, weight: 12 },
  { what: stepClock, weight: 12 },
  { what: tryOlderArchive, weight: 4 },
  { what: loseEventLog, weight: 4 },
  { what: acceptEventLog, weight: 4 },
];

/** What concerns one log alone is left to the runs with one partition. */
const EVENTS_OF_PARTITIONS: typeof EVENTS = [
  { what: send, weight: 102 },
  { what: movePartition, weight: 48 },
  { what: wake, weight: 24 },
  { what: land, weight: 24 },
  { what: stepClock, weight: 12 },
  { what: harmStore, weight: 16 },
  { what: killAtRest, weight: 8 },
  { what: retainAll, weight: 8 },
  { what: putForeignObject, weight: 14 },
];

/** One thing that nobody asked for. */
export async function happen(world: World): Promise<void> {
  const { choices, disk, lanes } = world;
  const ofOne = disk === undefined ? EVENTS : EVENTS_ON_DISK;
  await pickWeighted(choices.byte(), lanes.length > 1 ? EVENTS_OF_PARTITIONS : ofOne)(world);
}

/** When nobody can do anything: somebody starts what does not run, or sends something. */
export function goOn(world: World): void {
  if (world.lanes.length > 1) {
    if (!assignOrphans(world)) send(world);
    return;
  }
  if (world.owner?.isAlive === true && !world.owner.isPaused) {
    send(world);
    return;
  }
  const refused = world.owner?.ended;
  if (refused instanceof PipelineError && refused.code === 'EVENT_LOG_REPLACED') acceptEventLog(world);
  start(world);
}
