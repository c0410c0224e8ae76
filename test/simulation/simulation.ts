/**
 * One run: choices in, a finding or none out. First everything goes wrong that the choices say; then all processes end,
 * clocks come back to true time, and one process must recover by itself, seal what is left and leave a whole log,
 * though its newest bundle may be of a time that is yet to come.
 */
import { withoutTime } from './quick-builtins.ts';
import { createChoices, pickWeighted } from './choices.ts';
import type { Coverage } from './coverage.ts';
import { acceptEventLog } from './accept.ts';
import { goOn, happen, killAtCall } from './events.ts';
import { checkEnd } from './final-checks.ts';
import type { Finding } from './judge.ts';
import type { Mutant } from './mutants.ts';
import type { Call, Ending } from './scheduler.ts';
import { settlePartitions } from './partition-events.ts';
import { send } from './senders.ts';
import { createWorld, startProcess, type SimProcess, type World } from './world.ts';

const MAX_SETTLING_STEPS = 3_000;
/** A clock no further behind is a slewing clock. */
const FORGIVEN_BEHIND_MS = 2_000;

export interface RunOptions {
  readonly bytes: readonly number[];
  readonly coverage: Coverage;
  readonly mutant?: Mutant | undefined;
  /** Told what happens, line by line. */
  readonly say?: (line: string) => void;
}

export interface RunResult {
  readonly finding: Finding | undefined;
  readonly leaves: number;
}

export function simulate(options: RunOptions): Promise<RunResult> {
  return withoutTime(() => run(options));
}

async function run({ bytes, coverage, mutant, say = () => undefined }: RunOptions): Promise<RunResult> {
  const choices = createChoices(bytes);
  const world = await createWorld({ choices, coverage, mutant, say });
  send(world);
  goOn(world);
  while (!choices.isSpent && world.judge.finding() === undefined) {
    await world.scheduler.quiet();
    await step(world);
  }
  if (world.judge.finding() === undefined) await settle(world);
  if (world.judge.finding() === undefined) for (const lane of world.lanes) await checkEnd(world, lane);
  for (const process of world.processes) process.isAlive = false;
  return { finding: world.judge.finding(), leaves: sum(world.lanes.map(({ judge }) => judge.sealed.length)) };
}

type Move = 'proceed' | 'fail' | 'kill' | 'happen';

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

async function step(world: World): Promise<void> {
  const { choices, scheduler } = world;
  const calls = scheduler.enabled();
  const move = pickWeighted<Move>(choices.byte(), [
    { what: 'proceed', weight: 186 },
    { what: 'fail', weight: 22 },
    { what: 'kill', weight: 9 },
    { what: 'happen', weight: 39 },
  ]);
  if (move === 'happen') return happen(world);
  if (move === 'kill') {
    killAtCall(world);
    return;
  }
  const call = calls[calls.length < 2 ? 0 : choices.below(calls.length)];
  if (call === undefined) {
    goOn(world);
    return;
  }
  scheduler.proceed(call, move === 'fail' ? endingOf(world, call) : 'succeeds');
}

function endingOf({ choices }: World, { options, answer }: Call): Ending {
  if (answer !== undefined || options.isReady !== undefined) return 'succeeds';
  const isFallible = options.failure !== undefined;
  if (!isFallible) return choices.pick<Ending>(['succeeds', 'applied_unanswered']);
  if (options.isWrite !== true) return choices.pick<Ending>(['fails', 'applied_unanswered']);
  return choices.pick<Ending>(['fails', 'fails_applied', 'fails_late', 'applied_unanswered']);
}

/** All die, what they wrote last lands or not, and one machine starts with nothing more going wrong. */
async function settle(world: World): Promise<void> {
  const { scheduler, judge, choices } = world;
  world.say('everything ends; then one process recovers');
  for (const process of world.processes) if (process.isAlive) scheduler.kill(process, undefined, 'end');
  while (scheduler.late.length > 0) scheduler.land(0);
  acceptEventLog(world);
  for (const machine of world.machines) machine.nowMs = world.trueMs;
  if (world.lanes.length > 1) {
    await settlePartitions(
      world,
      async () => {
        if (!(await drain(world))) world.judge.find('not_recovered', 'the process never comes to rest');
      },
      (lane) => checkEnd(world, lane),
    );
    return;
  }
  const before = { bundles: judge.steps.length, behindMs: judge.head().integratedAtMs - world.trueMs };
  const process = startProcess(
    world,
    world.machines[choices.below(world.machines.length)] ?? world.machines[0],
  );
  if (!(await drain(world))) {
    judge.find('not_recovered', `${process.name} never comes to rest`);
    return;
  }
  checkClockReport(world, process, before);
  process.stop.abort('told to stop');
  await drain(world);
  if (process.ended !== 'stopped')
    judge.find('not_recovered', `${process.name}: ${process.ended?.message ?? 'it does not stop'}`);
}

/** Bundles that are sealed behind the time of the log must not be so in silence. */
function checkClockReport(
  { judge, coverage }: World,
  { name, clockReports }: SimProcess,
  before: { readonly bundles: number; readonly behindMs: number },
): void {
  if (before.behindMs <= FORGIVEN_BEHIND_MS || judge.steps.length === before.bundles) return;
  coverage.count('sealed behind the time of the log');
  if (clockReports === 0)
    judge.find('unreported', `${name} sealed ${before.behindMs} ms behind the log and did not report it`);
}

/** Lets calls proceed in their order until there is nothing to do. False if that does not come. */
async function drain({ scheduler, judge }: World): Promise<boolean> {
  for (let taken = 0; taken < MAX_SETTLING_STEPS; taken += 1) {
    await scheduler.quiet();
    const [call] = scheduler.enabled();
    if (call === undefined || judge.finding() !== undefined) return true;
    scheduler.proceed(call, 'succeeds');
  }
  return false;
}
