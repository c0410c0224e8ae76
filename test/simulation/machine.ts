/** What belongs to one machine and outlives its processes: clock, head guard, and its copy of the log's key. */
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
  signerOf(caller: Caller): Signer;
  guardOf(caller: Caller): HeadGuard;
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
  return {
    name,
    nowMs,
    guardedSize: guard.size,
    guardOf: guard.portOf,
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
