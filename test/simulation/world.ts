/** Everything that a run has: the shared models, the machines, the processes on them, and who owns the partition. */
import './quick-builtins.ts';
import { createSequencer } from '../../ingest/sequencer.ts';
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import { genesisKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { createLog, openLedger } from '../../store/ledger/ledger.ts';
import { createRowsProjection } from '../../store/projections/rows.ts';
import { openSeenIds } from '../../store/projections/seen-ids.ts';
import { createArchiveModel, type ArchiveModel } from './archive-model.ts';
import { pickWeighted, type Choices } from './choices.ts';
import type { Coverage } from './coverage.ts';
import { createDisk, type Disk } from './disk-model.ts';
import { createJudge, type Judge } from './judge.ts';
import { createMachine, type Machine } from './machine.ts';
import { mutateLedger, mutateSeenIds, type Mutant } from './mutants.ts';
import { createPartitionModel, type PartitionModel } from './partition-model.ts';
import { openRowsModel } from './rows-model.ts';
import { createTableModel, type TableModel } from './table-model.ts';
import { createScheduler, type Caller, type Scheduler } from './scheduler.ts';
import { MAX_CLOCK_AHEAD_MS, normalise, ownRecord } from './subject.ts';

export const LOG = 'p0';
const START_MS = Date.parse('2026-11-21T09:00:00.000Z');

export interface SimProcess extends Caller {
  readonly machine: Machine;
  readonly stop: AbortController;
  /** How often rows were lost when it last looked at the record store; undefined before that. */
  sawLosses: number | undefined;
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
  readonly judge: Judge;
  readonly archive: ArchiveModel;
  readonly table: TableModel;
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
  /** Whose the partition is. */
  owner: SimProcess | undefined;
  /** What senders sent, acknowledged or not. */
  readonly sent: (readonly number[])[];
  readonly say: (line: string) => void;
}

export interface WorldOptions {
  readonly choices: Choices;
  readonly coverage: Coverage;
  readonly mutant: Mutant | undefined;
  readonly say: (line: string) => void;
}

/** Two or three machines that share services, or one machine that has everything on its disk; and an empty log. */
export async function createWorld({ choices, coverage, mutant, say }: WorldOptions): Promise<World> {
  const scheduler = createScheduler(coverage, say);
  const judge = createJudge();
  const names = pickWeighted<readonly string[]>(choices.byte(), [
    { what: ['A', 'B'], weight: 120 },
    { what: ['A', 'B', 'C'], weight: 72 },
    { what: ['A'], weight: 64 },
  ]);
  const disk = names.length === 1 ? createDisk() : undefined;
  const parts = { scheduler, coverage, judge, mutant, choices, disk };
  const archive = createArchiveModel(parts);
  const [first, ...others] = names.map((name) => createMachine(name, START_MS, parts));
  const world: World = {
    ...parts,
    archive,
    // The engine remembers thousands. With two, rows of one bundle that are lost twice would make it forget the token of
    // a statement that is still under way, which is a limit and not a defect.
    table: createTableModel({ ...parts, window: 4 + choices.below(4) }),
    partition: createPartitionModel({ ...parts, forgets: choices.byte() % 2 === 1 || disk !== undefined }),
    machines: [first!, ...others],
    trueMs: START_MS,
    processes: [],
    acceptedEventLog: 'log-1',
    owner: undefined,
    sent: [],
    say,
  };
  await createEmptyLog(world);
  return world;
}

type Operator = Caller & Pick<SimProcess, 'machine' | 'sawLosses' | 'clockReports'>;

async function createEmptyLog(world: World): Promise<void> {
  const operator = {
    name: 'init',
    isAlive: true,
    isPaused: false,
    sawLosses: undefined,
    clockReports: 0,
  };
  const created = createLog(optionsOf(world, { ...operator, machine: world.machines[0] }), genesisKey(LOG));
  await world.scheduler.quiet();
  for (const call of world.scheduler.enabled()) world.scheduler.proceed(call, 'succeeds');
  await created;
}

function optionsOf(world: World, process: Operator) {
  const { archive, table, judge, mutant } = world;
  const { machine } = process;
  let drawn = 0;
  // What was lost after this process looked is no fault of its checkpoint.
  const queryable = () => {
    const { sawLosses } = process;
    return (from: number, to: number) =>
      sawLosses !== table.moment().losses || table.present(from, to).size === to - from;
  };
  return {
    log: LOG,
    archive: archive.portOf(process, queryable),
    signer: machine.signerOf(process),
    guard: machine.guardOf(process),
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
  } satisfies Omit<LedgerOptions, 'projections'>;
}

const silence = () => undefined;
const logger = { info: silence, warn: silence, error: silence, debug: silence } as unknown as Logger;

/** Starts the code under test as one process of a machine; it owns the partition from now on. */
export function startProcess(world: World, machine: Machine): SimProcess {
  const process: SimProcess = {
    name: `${machine.name}${world.processes.length}`,
    machine,
    isAlive: true,
    isPaused: false,
    stop: new AbortController(),
    eventLogs: { opened: world.partition.id(), accepted: world.acceptedEventLog },
    sawLosses: undefined,
    isRunning: false,
    clockReports: 0,
    isTried: false,
    ended: undefined,
  };
  world.say(`${process.name} starts`);
  world.coverage.count('started');
  world.processes.push(process);
  world.owner = process;
  runSequencer(world, process).then(
    () => end(world, process, 'stopped'),
    (error: unknown) => end(world, process, error),
  );
  return process;
}

async function runSequencer(world: World, process: SimProcess): Promise<void> {
  const eventLog = world.partition.portOf(process);
  const options = optionsOf(world, process);
  const sleep = () => world.scheduler.call(process, { name: 'sleep', effect: () => undefined });
  const records = openRowsModel(world, process, (losses) => (process.sawLosses = losses));
  const seenIds = await openSeenIds({
    ...options,
    records: maybeSlow(world, process, records),
    logger,
    sleep,
  });
  const projections = [mutateSeenIds(seenIds, world.mutant), createRowsProjection(records)];
  const ledger = await openLedger({ ...options, projections });
  if (world.mutant === 'clock_waited_for') waitForClock(world, process);
  process.isRunning = true;
  const sequencer = createSequencer({
    eventLog,
    ledger: mutateLedger(ledger, world.mutant),
    seenIds,
    normalise,
    ownRecord,
    clock: () => process.machine.nowMs,
    acceptedEventLog: process.eventLogs.accepted,
    logger,
    partition: 0,
    maxBatchEnvelopes: 1 + (world.processes.length % 2),
    maxBatchBytes: 1024,
    sleep,
  });
  await sequencer.run(process.stop.signal);
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
  const { isTried, isRunning, eventLogs } = process;
  const { code, retry } = error;
  // Whoever starts a process starts it again; once it seals, it must go on by itself.
  if (retry === 'later') return !isRunning;
  if (code === 'EVENT_LOG_REPLACED')
    return eventLogs.opened !== world.partition.id() || eventLogs.accepted !== eventLogs.opened;
  if (isTried && code === 'START_REFUSED') return true;
  return code === 'LEDGER_LOST_RACE' || code === 'SIGNER_REFUSED';
}
