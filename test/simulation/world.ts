/**
 * Everything that a run has: the shared models, the machines, the processes on them, and who owns the partition. Runs
 * whose processes have several partitions go on in `several-partitions.ts`.
 */
import './quick-builtins.ts';
import { createSequencer } from '../../ingest/sequencer.ts';
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { dataKeys } from './data-keys.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { createLog } from '../../store/ledger/genesis.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import { createRowsProjection } from '../../store/projections/rows.ts';
import { openSeenIds } from '../../store/projections/seen-ids.ts';
import { TEST_POLICY } from '../support/ledger.ts';
import { createArchiveModel, type ArchiveModel } from './archive-model.ts';
import { pickWeighted, type Choices, type Weighted } from './choices.ts';
import type { Coverage } from './coverage.ts';
import { createDisk, type Disk } from './disk-model.ts';
import { createJudge, type Findings, type Judge } from './judge.ts';
import type { Lane } from './lane.ts';
import { createMachine, type Machine } from './machine.ts';
import { mutateLedger, mutateSeenIds, type Mutant } from './mutants.ts';
import { createPartitionModel, type PartitionModel, type PartitionWorld } from './partition-model.ts';
import { openRowsModel } from './rows-model.ts';
import { createTableModel, type TableModel } from './table-model.ts';
import { createScheduler, type Caller, type Scheduler } from './scheduler.ts';
import { MAX_CLOCK_AHEAD_MS, normaliserOf, ownRecord } from './subject.ts';

const START_MS = Date.parse('2026-11-21T09:00:00.000Z');

export interface SimProcess extends Caller {
  readonly machine: Machine;
  readonly stop: AbortController;
  /** Whether its release makes records that are not of their schema. */
  readonly isFaulty: boolean;
  /** Whether its ledger is open and its sequencer runs. */
  isRunning: boolean;
  /** Id of the event log that it opened, and of the one that was accepted then. */
  readonly eventLogs: { readonly opened: string; readonly accepted: string };
  /** How often it reported that its clock is behind the log. */
  clockReports: number;
  /** Whether it is to be refused. */
  isTried: boolean;
  /** Why it ended by itself. */
  ended: PipelineError | 'stopped' | undefined;
}

export interface World {
  readonly scheduler: Scheduler;
  readonly choices: Choices;
  readonly coverage: Coverage;
  readonly archive: ArchiveModel;
  readonly table: TableModel;
  readonly lanes: readonly [Lane, ...Lane[]];
  /** Of the first lane; what it finds, all have found. */
  readonly judge: Judge;
  /** Of the first lane. */
  readonly partition: PartitionModel;
  readonly machines: readonly [Machine, ...Machine[]];
  /** Of the one machine, where archive, head guard and event log lie on it. */
  readonly disk: Disk | undefined;
  /** The time that clocks come back to when they are set right. */
  trueMs: number;
  readonly mutant: Mutant | undefined;
  readonly processes: SimProcess[];
  /** Id of the event log that the operator accepted. */
  acceptedEventLog: string;
  /** Whose the only partition is. */
  owner: SimProcess | undefined;
  readonly say: (line: string) => void;
}

export interface WorldOptions {
  readonly choices: Choices;
  readonly coverage: Coverage;
  readonly mutant: Mutant | undefined;
  readonly say: (line: string) => void;
}

interface Flavour {
  readonly machines: readonly string[];
  readonly partitionCount: number;
}

const FLAVOURS: readonly [Weighted<Flavour>, ...Weighted<Flavour>[]] = [
  { what: { machines: ['A', 'B'], partitionCount: 1 }, weight: 92 },
  { what: { machines: ['A', 'B', 'C'], partitionCount: 1 }, weight: 60 },
  { what: { machines: ['A'], partitionCount: 1 }, weight: 52 },
  { what: { machines: ['A', 'B'], partitionCount: 2 }, weight: 34 },
  { what: { machines: ['A', 'B'], partitionCount: 3 }, weight: 18 },
];

/** Two or three machines that share services, or one machine that has everything on its disk; and empty logs. */
export async function createWorld({ choices, coverage, mutant, say }: WorldOptions): Promise<World> {
  const scheduler = createScheduler(coverage, say);
  const flavour = pickWeighted(choices.byte(), FLAVOURS);
  const disk = flavour.machines.length === 1 ? createDisk() : undefined;
  const forgets = choices.byte() % 2 === 1 || disk !== undefined;
  const lanes: Lane[] = [];
  const judgeOf = (log: string | undefined) => (lanes.find((lane) => lane.log === log) ?? lanes[0]!).judge;
  const parts = { scheduler, coverage, judgeOf, mutant, choices, disk };
  const findings: Findings = { first: undefined };
  for (let number = 0; number < flavour.partitionCount; number += 1)
    lanes.push(createLane(number, createJudge(findings), { ...parts, forgets }));
  const { judge, partition } = lanes[0]!;
  const archive = createArchiveModel(parts);
  const [first, ...others] = flavour.machines.map((name) => createMachine(name, START_MS, parts));
  const world: World = {
    ...parts,
    archive,
    // The engine remembers thousands. With two, rows of one bundle that are lost twice would make it forget the token of
    // a statement that is still under way, which is a limit and not a defect.
    table: createTableModel({
      judge,
      coverage,
      mutant,
      window: flavour.partitionCount * (4 + choices.below(4)),
    }),
    lanes: [lanes[0]!, ...lanes.slice(1)],
    judge,
    partition,
    machines: [first!, ...others],
    trueMs: START_MS,
    processes: [],
    acceptedEventLog: 'log-1',
    owner: undefined,
    say,
  };
  for (const lane of lanes) await createEmptyLog(world, lane);
  return world;
}

function createLane(number: number, judge: Judge, world: Omit<PartitionWorld, 'judge'>): Lane {
  return {
    number,
    log: `p${number}`,
    judge,
    partition: createPartitionModel({ ...world, judge }),
    sent: [],
    owner: undefined,
    foreignKey: undefined,
  };
}

type Operator = Caller & Pick<SimProcess, 'machine' | 'clockReports'>;

async function createEmptyLog(world: World, lane: Lane): Promise<void> {
  const operator = {
    name: 'init',
    isAlive: true,
    isPaused: false,
    clockReports: 0,
  };
  const process = { ...operator, machine: world.machines[0] };
  const created = createLog({ ...optionsOf(world, process, lane), policy: TEST_POLICY });
  // It signs, then it puts.
  for (let calls = 0; calls < 2; calls += 1) {
    await world.scheduler.quiet();
    for (const call of world.scheduler.enabled()) world.scheduler.proceed(call, 'succeeds');
  }
  await created;
}

export function optionsOf(world: World, process: Operator, { log, judge }: Lane) {
  const { archive, table, mutant } = world;
  const { machine } = process;
  let drawn = 0;
  /** How often rows were lost when this log last looked at the record store; undefined before that. */
  let looked: number | undefined;
  // What was lost after this process looked is no fault of its checkpoint.
  const queryable = () => {
    const sawLosses = looked;
    return (from: number, to: number) =>
      sawLosses !== table.moment().losses || table.present(log, from, to).size === to - from;
  };
  return {
    log,
    archive: archive.portOf(process, queryable),
    dataKeys,
    records: openRowsModel(world, process, (losses) => (looked = losses)),
    signer: machine.signerOf(process, log),
    guard: machine.guardOf(process, log),
    clock: () => machine.nowMs,
    ...(mutant === 'clock_trusted' ? {} : { maxClockAheadMs: MAX_CLOCK_AHEAD_MS }),
    onClockBehind: () => {
      if (mutant !== 'clock_step_unreported') process.clockReports += 1;
    },
    randomBytes: (count) => {
      drawn += 1;
      return Buffer.alloc(count, sha256Hex(`${process.name} ${drawn} ${judge.head().root}`), 'hex');
    },
    lockFor: () => ({ mode: 'governance', retain_until: '2033-01-01T00:00:00.000Z' }),
  } satisfies Omit<LedgerOptions, 'projections'> & { readonly records: RecordStore };
}

const silence = () => undefined;
export const logger = { info: silence, warn: silence, error: silence, debug: silence } as unknown as Logger;

/** A process of a machine that does nothing yet. */
export function createProcess(world: World, machine: Machine): SimProcess {
  const process: SimProcess = {
    name: `${machine.name}${world.processes.length}`,
    machine,
    isAlive: true,
    isPaused: false,
    stop: new AbortController(),
    isFaulty: world.choices.byte() >= 244,
    eventLogs: { opened: world.partition.id(), accepted: world.acceptedEventLog },
    isRunning: false,
    clockReports: 0,
    isTried: false,
    ended: undefined,
  };
  world.say(`${process.name} starts${process.isFaulty ? ', of a faulty release' : ''}`);
  world.coverage.count('started');
  world.processes.push(process);
  return process;
}

/** Starts the code under test as one process of a machine; it owns the partition from now on. */
export function startProcess(world: World, machine: Machine): SimProcess {
  const process = createProcess(world, machine);
  world.owner = process;
  runSequencer(world, process).then(
    () => end(world, process, 'stopped'),
    (error: unknown) => end(world, process, error),
  );
  return process;
}

/** One log as a process has it open. A process that cannot open it fills no seen ids any longer. */
export async function openLane(world: World, process: SimProcess, lane: Lane) {
  const { records, ...options } = optionsOf(world, process, lane);
  const sleep = sleepOf(world, process);
  const asked = maybeSlow(world, process, records);
  const seenIds = await openSeenIds({ ...options, records: asked, logger, sleep });
  const projections = [mutateSeenIds(seenIds, world.mutant), createRowsProjection(records)];
  try {
    return { ledger: await openLedger({ ...options, projections }), seenIds };
  } catch (error) {
    void seenIds.close();
    throw error;
  }
}

async function runSequencer(world: World, process: SimProcess): Promise<void> {
  const eventLog = world.partition.portOf(process);
  const { ledger, seenIds } = await openLane(world, process, world.lanes[0]);
  if (world.mutant === 'clock_waited_for') waitForClock(world, process);
  process.isRunning = true;
  const sequencer = createSequencer({
    eventLog,
    ledger: mutateLedger(ledger, world.mutant),
    seenIds,
    normalise: normaliserOf(process),
    ownRecord,
    clock: () => process.machine.nowMs,
    acceptedEventLog: process.eventLogs.accepted,
    logger,
    partition: 0,
    maxBatchEnvelopes: 1 + (world.processes.length % 2),
    maxBatchBytes: 1024,
    sleep: sleepOf(world, process),
  });
  await sequencer.run(process.stop.signal);
}

/** A wait that lasts as long as the scheduler likes. */
export function sleepOf({ scheduler }: World, process: SimProcess): () => Promise<undefined> {
  return () => scheduler.call(process, { name: 'sleep', effect: () => undefined });
}

/** The table of a long log is filled for minutes: in every second process that lasts until it ends. */
function maybeSlow({ choices, scheduler }: World, process: SimProcess, records: RecordStore): RecordStore {
  if (choices.byte() % 2 === 0) return records;
  const never = { name: 'store ids of a long log', isReady: () => false, effect: () => [] };
  return {
    ...records,
    read: (query) =>
      query.name === 'id_bits_of_leaves' ? scheduler.call(process, never) : records.read(query),
  };
}

function waitForClock({ judge }: World, { machine }: SimProcess): void {
  if (machine.nowMs < judge.head().integratedAtMs)
    throw new PipelineError('CLOCK_BEHIND', 'the clock is behind the last bundle');
}

function end(world: World, process: SimProcess, reason: unknown): void {
  process.isAlive = false;
  if (reason === 'stopped') {
    process.ended = reason;
    world.coverage.count('stopped');
  } else if (reason instanceof PipelineError) {
    process.ended = reason;
    world.coverage.count(`ended ${reason.code}`);
    if (!isLegitimate(world, process, reason))
      world.judge.find('false_alarm', `${process.name}: ${reason.message}`);
  } else {
    world.judge.find('damaged', `${process.name}: ${String(reason)}`);
  }
  world.say(`${process.name} ends: ${reason instanceof Error ? reason.message : String(reason)}`);
}

/** Whether a process may end for this reason while others may be at work on the same log. */
function isLegitimate(world: World, process: SimProcess, error: PipelineError): boolean {
  const { isTried, isRunning, isFaulty, eventLogs } = process;
  const { code, retry } = error;
  // Whoever starts a process starts it again; once it seals, it must go on by itself.
  if (retry === 'later') return !isRunning;
  if (code === 'EVENT_LOG_REPLACED')
    return eventLogs.opened !== world.partition.id() || eventLogs.accepted !== eventLogs.opened;
  if (isTried && code === 'START_REFUSED') return true;
  if (isFaulty && code === 'RECORD_INVALID') return true;
  return code === 'LEDGER_LOST_RACE' || code === 'SIGNER_REFUSED';
}
