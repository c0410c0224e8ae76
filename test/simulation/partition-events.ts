/** What happens besides port calls where processes have several partitions, and how such a run ends. */
import { bundleKey } from '../../store/chain/layout.ts';
import type { Event } from './events.ts';
import type { Lane } from './lane.ts';
import { assign, isAtRest, isParked, revoke, revokeAll, startEmpty } from './several-partitions.ts';
import type { SimProcess, World } from './world.ts';

const isWorking = (process: SimProcess | undefined): process is SimProcess =>
  process?.isAlive === true && !process.isPaused;

function chooseLane({ lanes, choices }: World): Lane {
  return lanes[choices.below(lanes.length)] ?? lanes[0];
}

/** Another process of the group, or a new one; never the owner. */
function chooseHeir(world: World, lane: Lane): SimProcess {
  const { choices, machines, processes } = world;
  const others = processes.filter((process) => isWorking(process) && process !== lane.owner);
  const chosen = choices.below(3) === 0 ? undefined : others[choices.below(Math.max(others.length, 1))];
  return chosen ?? startEmpty(world, machines[choices.below(machines.length)] ?? machines[0]);
}

/** One partition moves. The process that had it is told, or goes on as if nothing were, or sleeps as a whole. */
export const movePartition: Event = (world) => {
  const { choices, coverage, say } = world;
  const lane = chooseLane(world);
  const { owner } = lane;
  const how = choices.pick(['told', 'zombie', 'sleeping zombie']);
  const heir = chooseHeir(world, lane);
  if (isWorking(owner)) {
    say(`${owner.name} loses ${lane.log}: ${how}`);
    coverage.count(`partition moved: ${how}`);
    if (how === 'told') revoke(owner, lane);
    if (how === 'sleeping zombie') owner.isPaused = true;
  }
  assign(world, lane, heir);
};

/** Somebody else's object lies where the next bundle goes, and nobody can delete it for now. */
export const putForeignObject: Event = (world) => {
  const lane = chooseLane(world);
  const key = bundleKey(lane.log, lane.judge.head().treeSize);
  if (lane.foreignKey !== undefined || world.archive.objects.has(key)) return;
  lane.foreignKey = key;
  world.archive.putForeign(key);
  world.coverage.count('foreign object');
  world.say(`a foreign object lies at ${key}`);
};

/** Partitions without a process are assigned to one. False where each has one. */
export function assignOrphans(world: World): boolean {
  const orphans = world.lanes.filter(({ owner }) => !isWorking(owner));
  for (const lane of orphans) assign(world, lane, chooseHeir(world, lane));
  return orphans.length > 0;
}

/**
 * All died. One process gets all partitions: those without a foreign object must come to rest with everything sealed,
 * the others must be parked and lose nothing. Then the foreign objects go, and these are assigned again.
 */
export async function settlePartitions(
  world: World,
  rest: () => Promise<void>,
  checkEnd: (lane: Lane) => Promise<void>,
) {
  const { lanes, judge, choices, machines } = world;
  const process = startEmpty(world, machines[choices.below(machines.length)] ?? machines[0]);
  for (const lane of lanes) assign(world, lane, process);
  await rest();
  if (judge.finding() !== undefined) return;
  const foreign = lanes.filter(({ foreignKey }) => foreignKey !== undefined);
  for (const lane of lanes) if (lane.foreignKey === undefined) await checkEnd(lane);
  for (const lane of foreign) checkParked(lane, process);
  for (const lane of foreign) {
    removeForeignObject(world, lane);
    assign(world, lane, process);
  }
  await rest();
  revokeAll(process);
  await rest();
  if (!isAtRest(process)) judge.find('not_recovered', `${process.name} does not stop`);
}

function removeForeignObject({ archive, coverage }: World, lane: Lane): void {
  coverage.count('parked partition continued');
  archive.removeForeign(lane.foreignKey ?? '');
  lane.foreignKey = undefined;
}

/** What was acknowledged to senders is sealed or still in the event log. */
function checkParked(lane: Lane, process: SimProcess): void {
  const { judge, partition, log } = lane;
  if (!isParked(process, lane)) judge.find('not_recovered', `${log} is not parked and cannot be sealed`);
  const kept = new Set([...judge.sealed, ...judge.lostWithLog, ...partition.unacknowledged()]);
  const lost = [...judge.acknowledged].find((n) => !kept.has(n));
  if (lost !== undefined) judge.find('lost', `record ${lost} of the parked ${log} is not in its event log`);
}
