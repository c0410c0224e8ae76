/** What belongs to one machine and outlives its processes: clock, head guard, and its copy of the log's key. */
import { PipelineError } from '../../schemas/errors.ts';
import { formatVkey, verifierKey } from '../../store/chain/note.ts';
import type { HeadGuard, Signer } from '../../store/keys/signer.ts';
import type { Coverage } from './coverage.ts';
import type { Disk } from './disk-model.ts';
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
  /** Size of the largest head of which its guard said that it is remembered. */
  readonly guardedSize: () => number;
  /** Whether the guard still knows that head. */
  readonly isGuarded: () => boolean;
  signerOf(caller: Caller): Signer;
  guardOf(caller: Caller): HeadGuard;
}

export interface MachineWorld {
  readonly scheduler: Scheduler;
  readonly coverage: Coverage;
  readonly judge: Judge;
  readonly mutant: Mutant | undefined;
  /** Where the guard lies, if a power loss can change it. */
  readonly disk: Disk | undefined;
}

export function createMachine(name: string, nowMs: number, world: MachineWorld): Machine {
  const { scheduler, coverage, judge } = world;
  const guard = createGuard(world);
  return {
    name,
    nowMs,
    guardedSize: guard.promisedSize,
    isGuarded: guard.holdsPromise,
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

function createGuard({ scheduler, mutant, disk }: MachineWorld) {
  let known: Head | undefined;
  let promisedSize = 0;
  const isIgnored = mutant === 'guard_ignored';

  function advance(head: Head): void {
    const isSmaller = known !== undefined && head.tree_size < known.tree_size;
    const isOther = known?.tree_size === head.tree_size && known.root_hash !== head.root_hash;
    if ((isSmaller || isOther) && !isIgnored)
      throw new PipelineError('SIGNER_REFUSED', `size ${head.tree_size} after ${known?.tree_size ?? 0}`);
    if (known?.tree_size === head.tree_size) return;
    const before = known;
    known = head;
    disk?.wrote('head guard', () => (known = before));
  }

  function answered(head: Head, { isKnown, moment }: { isKnown: boolean; moment: number }): void {
    promisedSize = head.tree_size;
    if (mutant !== 'known_head_unflushed' || !isKnown) disk?.flushed('head guard', moment);
  }

  return {
    promisedSize: () => promisedSize,
    holdsPromise: () => promisedSize <= (known?.tree_size ?? 0),
    portOf: (caller: Caller): HeadGuard => ({
      latest: () =>
        scheduler.call(caller, { name: 'guard latest', effect: () => (isIgnored ? undefined : known) }),
      advance: (_, head) => {
        const look = { isKnown: false, moment: 0 };
        return scheduler.call(caller, {
          name: 'guard advance',
          failure: 'SIGNER_UNAVAILABLE',
          isWrite: true,
          isLocal: true,
          effect: () => {
            look.isKnown = known?.tree_size === head.tree_size;
            advance(head);
            look.moment = disk?.now() ?? 0;
          },
          onAnswered: () => answered(head, look),
        });
      },
    }),
  };
}
