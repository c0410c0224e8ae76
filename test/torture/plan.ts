/** Which fault strikes in which round: made of the seed alone, before anything is started. */
import { createRandom, type Random } from './random.ts';

export const FAULT_KINDS = [
  'kill_loaded',
  'kill_first_ack',
  'kill_starting',
  'kill_stopping',
  'kill_idle',
  'stop_continue',
  'terminate',
  'disk_full',
  'clock_step',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What the disk-full round does while nothing can be written. */
export type DiskVariant = 'recover' | 'kill' | 'start';

export interface PlannedRound {
  readonly number: number;
  readonly kind: FaultKind;
  /** Seed of what is sent in this round. */
  readonly loadSeed: number;
  readonly connections: number;
  /** How long load goes on before the fault. */
  readonly loadMs: number;
  /** From the first half of the fault to the second: stop to continue, SIGTERM to SIGKILL, step to SIGKILL. */
  readonly holdMs: number;
  /** Wait before the load until everything of earlier rounds is sealed, and judge then. */
  readonly drainFirst: boolean;
  /** Of `kill_starting`: how long after its start the process is killed, once for each entry. */
  readonly startKillsMs: readonly number[];
  readonly diskVariant: DiskVariant;
  /** Of `clock_step`; negative is backward. */
  readonly stepMs: number;
  /** Of `clock_step`: whether a step forward is taken back while the server is down. */
  readonly stepBack: boolean;
  /** Of `stop_continue`: killed while stopped, without being continued. */
  readonly killStopped: boolean;
}

/** One deck: the share of each kind in every twenty rounds. */
const DECK: Readonly<Record<FaultKind, number>> = {
  kill_loaded: 6,
  kill_first_ack: 2,
  kill_starting: 3,
  kill_stopping: 2,
  kill_idle: 1,
  stop_continue: 1,
  terminate: 1,
  disk_full: 2,
  clock_step: 2,
};

/** Longest time that nothing is judged as lost, in rounds. */
const DRAIN_EVERY = 5;
const MIN_STEP_MS = 10_000;
const MAX_STEP_MS = 3_600_000;

export interface PlanOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Strike with these alone. */
  readonly only: readonly FaultKind[];
}

export function planRounds({ rounds, seed, only }: PlanOptions): PlannedRound[] {
  const random = createRandom(seed);
  const deck =
    only.length > 0 ? only : FAULT_KINDS.flatMap((kind) => Array<FaultKind>(DECK[kind]).fill(kind));
  const planned: PlannedRound[] = [];
  let cards: FaultKind[] = [];
  for (let number = 1; number <= rounds; number += 1) {
    if (cards.length === 0) cards = random.shuffle(deck);
    planned.push(planRound(number, cards.pop()!, random));
  }
  return planned;
}

/** Draws the same numbers for every kind, so that one round's kind does not change the rounds behind it. */
function planRound(number: number, kind: FaultKind, random: Random): PlannedRound {
  const startKills = random.whole(1, 3);
  return {
    number,
    kind,
    loadSeed: random.whole(0, 0x7fffffff),
    connections: random.whole(2, 8),
    loadMs: random.whole(100, 1_200),
    holdMs: random.whole(0, 700),
    drainFirst: random.chance(0.25) || number % DRAIN_EVERY === 0,
    startKillsMs: [1, 2, 3].map(() => random.whole(60, 1_800)).slice(0, startKills),
    diskVariant: random.pick(['recover', 'recover', 'kill', 'start']),
    stepMs: random.whole(MIN_STEP_MS, MAX_STEP_MS) * random.pick([1, 1, -1]),
    stepBack: random.chance(0.5),
    killStopped: random.chance(0.3),
  };
}
