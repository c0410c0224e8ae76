/** What belongs to one machine and outlives its processes: clock, head guard, seen ids, and its copy of the log's key. */
import type { SeenIds } from '../../ingest/seen-ids.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { formatVkey, verifierKey } from '../../store/chain/note.ts';
import type { HeadGuard, Signer } from '../../store/keys/signer.ts';
import type { Coverage } from './coverage.ts';
import type { Judge } from './judge.ts';
import type { Mutant } from './mutants.ts';
import { SIMULATED_PUBLIC_KEY, signQuickly } from './quick-builtins.ts';
import type { Caller, Scheduler } from './scheduler.ts';

const ORIGIN = 'simulation.example/p0';
export const VKEY = formatVkey(verifierKey(ORIGIN, SIMULATED_PUBLIC_KEY));

interface Head {
  readonly tree_size: number;
  readonly root_hash: string;
}

export interface Machine {
  readonly name: string;
  /** Milliseconds since the Unix epoch, as this machine believes. */
  nowMs: number;
  /** Size of the largest head that its guard remembers. */
  readonly guardedSize: () => number;
  loseSeenIds(): void;
  readonly seenSize: () => number;
  signerOf(caller: Caller): Signer;
  guardOf(caller: Caller): HeadGuard;
  seenIdsOf(caller: Caller): SeenIds;
}

export interface MachineWorld {
  readonly scheduler: Scheduler;
  readonly coverage: Coverage;
  readonly judge: Judge;
  readonly mutant: Mutant | undefined;
}

export function createMachine(name: string, nowMs: number, world: MachineWorld): Machine {
  const { scheduler, coverage, judge } = world;
  const guard = createGuard(world);
  const seen = createSeenIds(scheduler);
  return {
    name,
    nowMs,
    guardedSize: guard.size,
    loseSeenIds: seen.lose,
    seenSize: seen.size,
    guardOf: guard.portOf,
    seenIdsOf: seen.portOf,
    signerOf: (caller) => ({
      name: ORIGIN,
      vkey: VKEY,
      sign: (message) =>
        scheduler.call(caller, {
          name: 'sign',
          effect: () => {
            if (judge.signed(message)) coverage.count('head signed');
            return signQuickly(message);
          },
        }),
    }),
  };
}

function createGuard({ scheduler, mutant }: MachineWorld) {
  let known: Head | undefined;
  const isIgnored = mutant === 'guard_ignored';

  function advance(head: Head): void {
    const isSmaller = known !== undefined && head.tree_size < known.tree_size;
    const isOther = known?.tree_size === head.tree_size && known.root_hash !== head.root_hash;
    if ((isSmaller || isOther) && !isIgnored)
      throw new PipelineError('SIGNER_REFUSED', `size ${head.tree_size} after ${known?.tree_size ?? 0}`);
    known = head;
  }

  return {
    size: () => known?.tree_size ?? 0,
    portOf: (caller: Caller): HeadGuard => ({
      latest: () =>
        scheduler.call(caller, { name: 'guard latest', effect: () => (isIgnored ? undefined : known) }),
      advance: (_, head) =>
        scheduler.call(caller, {
          name: 'guard advance',
          failure: 'SIGNER_UNAVAILABLE',
          isWrite: true,
          isLocal: true,
          effect: () => advance(head),
        }),
    }),
  };
}

function createSeenIds(scheduler: Scheduler) {
  let ids = new Set<string>();
  let size = 0;
  const failure = 'LOG_UNAVAILABLE';
  const lose = () => {
    ids = new Set();
    size = 0;
  };
  return {
    lose,
    size: () => size,
    portOf: (caller: Caller): SeenIds => ({
      has: (asked) =>
        scheduler.call(caller, {
          name: 'seen ids has',
          effect: () => new Set(asked.filter((id) => ids.has(id))),
        }),
      add: (added, upTo) =>
        scheduler.call(caller, {
          name: 'seen ids add',
          failure,
          isWrite: true,
          isLocal: true,
          effect: () => {
            for (const id of added) ids.add(id);
            size = Math.max(size, upTo);
          },
        }),
      size: () => scheduler.call(caller, { name: 'seen ids size', effect: () => size }),
      clear: () =>
        scheduler.call(caller, {
          name: 'seen ids clear',
          failure,
          isWrite: true,
          isLocal: true,
          effect: lose,
        }),
      close: () => Promise.resolve(),
    }),
  };
}
