/** What belongs to one machine and outlives its processes: clock, head guard, and its copy of the log's key. */
import { PipelineError } from '../../schemas/errors.ts';
import { formatVkey, verifierKey } from '../../store/chain/note.ts';
import type { HeadGuard, Signer } from '../../store/keys/signer.ts';
import type { Coverage } from './coverage.ts';
import type { Disk } from './disk-model.ts';
import type { JudgeOf } from './lane.ts';
import type { Mutant } from './mutants.ts';
import { SIMULATED_PUBLIC_KEY, signQuickly } from './quick-builtins.ts';
import type { Caller, Scheduler } from './scheduler.ts';

/** The log of runs with one partition. */
export const LOG = 'p0';
const vkeys = new Map<string, string>();

const originOf = (log: string) => `simulation.example/${log}`;

export function vkeyOf(log: string): string {
  const vkey = vkeys.get(log) ?? formatVkey(verifierKey(originOf(log), SIMULATED_PUBLIC_KEY));
  vkeys.set(log, vkey);
  return vkey;
}

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
  signerOf(caller: Caller, log: string): Signer;
  guardOf(caller: Caller, log: string): HeadGuard;
}

export interface MachineWorld {
  readonly scheduler: Scheduler;
  readonly coverage: Coverage;
  readonly judgeOf: JudgeOf;
  readonly mutant: Mutant | undefined;
  /** Where the guard lies, if a power loss can change it. */
  readonly disk: Disk | undefined;
}

export function createMachine(name: string, nowMs: number, world: MachineWorld): Machine {
  const { scheduler, coverage, judgeOf } = world;
  const guardFor = ofEachLog(() => createGuard(world));
  return {
    name,
    nowMs,
    guardedSize: () => guardFor(LOG).promisedSize(),
    isGuarded: () => guardFor(LOG).holdsPromise(),
    guardOf: (caller, log) => guardFor(log).portOf(caller),
    signerOf: (caller, log) => ({
      name: originOf(log),
      vkey: vkeyOf(log),
      sign: (message) =>
        scheduler.call(caller, {
          name: 'sign',
          effect: () => {
            if (judgeOf(log).signed(message)) coverage.count('head signed');
            return signQuickly(message);
          },
        }),
    }),
  };
}

/** Made for each log when it is asked for. */
function ofEachLog<T>(make: () => T): (log: string) => T {
  const made = new Map<string, T>();
  return (log) => {
    const one = made.get(log) ?? make();
    made.set(log, one);
    return one;
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
