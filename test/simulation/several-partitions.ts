/**
 * Runs whose processes have several partitions: each is sealed by the program's own `runPartition`, which reopens its log
 * or parks it. The group moves one partition at a time.
 */
import { Partitions, type PartitionFailure } from '../../app/partitions.ts';
import { runPartition, type PartitionWork } from '../../app/run-partition.ts';
import { createSequencer } from '../../ingest/sequencer.ts';
import type { Ledger } from '../../store/ledger/ledger.ts';
import type { Lane } from './lane.ts';
import { mutateLedger } from './mutants.ts';
import { normaliserOf, ownRecord } from './subject.ts';
import { createProcess, logger, openLane, sleepOf, type SimProcess, type World } from './world.ts';

/** What a process does with its partitions. */
interface Runs {
  readonly partitions: Partitions;
  readonly running: Map<number, { readonly stop: AbortController; readonly ended: Promise<void> }>;
}

const runsOf = new WeakMap<SimProcess, Runs>();

/** Whether nothing of the process runs any more. */
export function isAtRest(process: SimProcess): boolean {
  return (runsOf.get(process)?.running.size ?? 0) === 0;
}

export function isParked(process: SimProcess, { number }: Lane): boolean {
  const states = runsOf.get(process)?.partitions.states() ?? [];
  return states.some(({ partition, state }) => partition === number && state === 'parked');
}

export function startEmpty(world: World, machine = world.machines[0]): SimProcess {
  const process = createProcess(world, machine);
  process.isRunning = true;
  runsOf.set(process, { partitions: new Partitions((partition) => `p${partition}`), running: new Map() });
  return process;
}

/** The partition is assigned to the process, once an earlier run of it there has ended. */
export function assign(world: World, lane: Lane, process: SimProcess): void {
  const runs = runsOf.get(process);
  if (runs === undefined) return;
  const before = runs.running.get(lane.number);
  before?.stop.abort();
  const stop = new AbortController();
  const run = async () => {
    await before?.ended;
    if (!stop.signal.aborted) await runPartition(workOf(world, process), lane.number, stop.signal);
  };
  const ended = run().then(
    () => {
      if (runs.running.get(lane.number)?.stop === stop) runs.running.delete(lane.number);
    },
    (error: unknown) => world.judge.find('damaged', `${process.name}, ${lane.log}: ${String(error)}`),
  );
  runs.running.set(lane.number, { stop, ended });
  lane.owner = process;
  world.coverage.count('partition assigned');
  world.say(`${process.name} is assigned ${lane.log}`);
}

/** The process hears that it has lost the partition. */
export function revoke(process: SimProcess, { number }: Lane): void {
  runsOf.get(process)?.running.get(number)?.stop.abort();
}

export function revokeAll(process: SimProcess): void {
  for (const { stop } of runsOf.get(process)?.running.values() ?? []) stop.abort();
}

function workOf(world: World, process: SimProcess): PartitionWork {
  const { machine } = process;
  const laneOf = (partition: number) => world.lanes[partition] ?? world.lanes[0];
  return {
    partitions: runsOf.get(process)!.partitions,
    logger,
    open: async (partition) => {
      const lane = laneOf(partition);
      const { ledger, seenIds } = await openLane(world, process, lane);
      // The filling may wait for an answer that never comes.
      const close = () => Promise.resolve(void seenIds.close());
      return { ledger: mutate(world, lane, ledger), seenIds, close };
    },
    start: (partition, { ledger, seenIds }) => ({
      ledger,
      sequencer: createSequencer({
        eventLog: readLane(world, laneOf(partition)).partition.portOf(process),
        ledger,
        seenIds,
        normalise: normaliserOf(process),
        ownRecord,
        clock: () => machine.nowMs,
        acceptedEventLog: process.eventLogs.accepted,
        logger,
        partition,
        maxBatchEnvelopes: 1 + (world.processes.length % 2),
        maxBatchBytes: 1024,
        sleep: sleepOf(world, process),
      }),
    }),
    onParked: (partition, failure) => parked(world, process, laneOf(partition), failure),
    sleep: sleepOf(world, process),
  };
}

function parked(world: World, process: SimProcess, lane: Lane, { code, detail }: PartitionFailure): void {
  world.say(`${process.name} parks ${lane.log}: ${code} ${detail}`);
  world.coverage.count(`parked ${code}`);
  const isExpected = lane.foreignKey !== undefined || (process.isFaulty && code === 'RECORD_INVALID');
  if (!isExpected) lane.judge.find('false_alarm', `${process.name} parks ${lane.log}: ${code} ${detail}`);
  if (world.mutant === 'bad_partition_stops_all') revokeAll(process);
}

/** The lane after this one, where a process has more than one. */
function neighbourOf({ lanes }: World, { number }: Lane): Lane {
  return lanes[(number + 1) % lanes.length] ?? lanes[0];
}

function readLane(world: World, lane: Lane): Lane {
  return world.mutant === 'other_partition_read' ? neighbourOf(world, lane) : lane;
}

function mutate(world: World, lane: Lane, ledger: Ledger): Ledger {
  if (world.mutant !== 'other_offset_read') return mutateLedger(ledger, world.mutant);
  const other = neighbourOf(world, lane);
  return { ...ledger, nextOffset: () => other.judge.head().nextOffset };
}
