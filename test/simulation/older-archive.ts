/** An operator restores an older copy of the archive and starts the machine that signed the newest head. */
import { parseKey } from '../../store/chain/layout.ts';
import { acceptEventLog } from './accept.ts';
import { startProcess, type World } from './world.ts';

const MAX_STEPS = 400;

/**
 * All processes end first. The start must be refused, because the guard of that machine remembers a larger head; then
 * the archive is set right again.
 */
export async function tryOlderArchive(world: World): Promise<void> {
  const { archive, judge, scheduler, coverage, choices } = world;
  const isElsewhere = world.mutant === 'older_archive_elsewhere';
  const machine = world.machines.find((one) => (one.guardedSize() === judge.head().treeSize) !== isElsewhere);
  if (machine === undefined || judge.publishedSize() < judge.head().treeSize) return;
  const cut = cutBefore([...archive.objects.keys()], choices.byte());
  if (cut === undefined) return;
  for (const process of world.processes) if (process.isAlive) scheduler.kill(process, undefined, 'end');
  scheduler.late.length = 0;
  world.say(`an older copy of the archive is restored, and machine ${machine.name} is started on it`);
  coverage.count('older archive restored');
  archive.setBack(cut);
  acceptEventLog(world);
  const process = startProcess(world, machine);
  const findingBefore = judge.finding();
  process.isTried = true;
  await letRun(world);
  const { ended } = process;
  const isRefused = ended !== undefined && ended !== 'stopped' && ended.code === 'START_REFUSED';
  if (!isRefused && findingBefore === undefined)
    judge.find('fork', `${process.name} went on from an older archive than was signed`);
  if (process.isAlive) scheduler.kill(process, undefined, 'end');
  archive.setBack(undefined);
  world.owner = undefined;
}

/** Somewhere before one of the bundles, so that at least that one is missing. */
function cutBefore(keys: readonly string[], choice: number): number | undefined {
  const bundles = keys.flatMap((key, place) => (parseKey(key)?.folder === 'bundle' ? [place] : []));
  return bundles[bundles.length - 1 - (choice % Math.max(bundles.length, 1))];
}

async function letRun({ scheduler, judge }: World): Promise<void> {
  for (let step = 0; step < MAX_STEPS; step += 1) {
    await scheduler.quiet();
    const [call] = scheduler.enabled();
    if (call === undefined || judge.finding() !== undefined) return;
    scheduler.proceed(call, 'succeeds');
  }
}
