/** Runs sequencers: one on the embedded event log, or one for each partition that Kafka assigns to this process. */
import type { Logger } from 'pino';
import { nameEventLog, nameSharedEventLog } from './accepted-event-log.ts';
import type { AppContext } from './context.ts';
import type { DataFolder } from './data-folder.ts';
import { readPseudonymKey } from './deployment-file.ts';
import { openEmbedded, openKafka, readGatewayMappings } from './engines.ts';
import { readEventLogKey, type EventLogKey } from './event-log-key.ts';
import type { KeyReads } from './key-reads.ts';
import { openLog, type CloseStack, type SealingEngines, type OpenLog } from './logs.ts';
import { keyAroundParked, type OwnEvents } from './own-events.ts';
import { Partitions, toFailure, type PartitionState, type RunningSequencer } from './partitions.ts';
import { logOf } from './paths.ts';
import { runPartition, runSinglePartition, type PartitionWork } from './run-partition.ts';
import { sourcesWith } from '../connectors/sources/index.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { createNormaliser, type Normalise } from '../ingest/normalise.ts';
import { createOwnRecords, type MakeOwnRecord } from '../ingest/own-records.ts';
import { createSequencer, type SequencerCounters } from '../ingest/sequencer.ts';
import { createSurrogates } from '../ingest/surrogates.ts';
import { PipelineError } from '../schemas/errors.ts';
import { toClockStepEvent, toParkedEvent, type ClockStep } from '../schemas/sealing-events.ts';
import type { Ledger } from '../store/ledger/ledger.ts';

/** Sealing as the other roles of this process see it. */
export interface Sequencing {
  /** Rejects where no sequencer of this process can go on; resolves after the stack was closed. */
  readonly ended: Promise<void>;
  /** Ledgers that are open now. */
  ledgers(): readonly Ledger[];
  counters(): SequencerCounters;
  /** The partitions of this process, in order, and where each stands. */
  partitions(): readonly PartitionState[];
  lag(): ReturnType<EventLog['lag']>;
  keyReads(): ReturnType<KeyReads['totals']>;
}

export interface SequencingParts {
  readonly engines: SealingEngines;
  readonly ownEvents: OwnEvents;
  readonly folder: DataFolder;
}

/** Shared by the sequencers of this process. */
interface SequencerParts extends SequencingParts {
  readonly context: AppContext;
  readonly normalise: Normalise;
  readonly ownRecord: MakeOwnRecord;
  readonly eventLogKey: EventLogKey | undefined;
  readonly logger: Logger;
  readonly partitions: Partitions;
  /** The time behind which the clock was found last, by log and reason. */
  readonly clockSteps: Map<string, number>;
}

/** Starts sealing. On the embedded event log the ledger is open when this resolves, so that doubt refuses the start. */
export async function startSequencing(
  context: AppContext,
  { engines, ownEvents, folder }: SequencingParts,
  stack: CloseStack,
): Promise<Sequencing> {
  const { config, replaced } = context;
  const named = { surrogates: createSurrogates(await readPseudonymKey(config)) };
  const normalise = createNormaliser({ ...named, sources: sourcesWith(await readGatewayMappings(config)) });
  const ownRecord = createOwnRecords(named);
  const partitions = new Partitions(logOf);
  const logger = context.logger.child({ role: 'sequence' });
  const eventLogKey = await readEventLogKey(config);
  const made = { normalise, ownRecord, eventLogKey, logger, partitions };
  const parts = { context, engines, ownEvents, folder, ...made, clockSteps: new Map<string, number>() };
  const stop = new AbortController();
  let ended: Promise<void>;
  let eventLog: EventLog;
  let ledgers = () => partitions.ledgers();
  if (config.kafka.brokers === undefined) {
    const open = stack.keep(await openLogOf(parts, 0));
    eventLog = replaced.eventLog ?? stack.keep(await openEmbedded(context));
    const work = workOf(parts, eventLog);
    const running = work.start(0, open);
    // Before a receiver of this process can append: a doubtful log takes nothing.
    await running.sequencer.settle();
    await nameEventLog(context, eventLog.id);
    // It stays open when the partition is parked.
    ledgers = () => [open.ledger];
    ended = runSinglePartition(work, running, stop.signal);
  } else {
    const shared = stack.keep(await openKafka({ ...context, logger }));
    eventLog = shared;
    // Nothing waits for it; the next start asks again.
    nameSharedEventLog(context, engines, shared.id).catch((error: unknown) => {
      logger.warn(toFailure(error), 'the event log is not named in the deployment file yet');
    });
    const work = workOf(parts, shared);
    ended = shared.assignments((partition, signal) => runPartition(work, partition, signal), stop.signal);
  }
  const partitionCount = engines.deployment.logs.length;
  ownEvents.bind(eventLog, () => keyAroundParked(partitions.states(), partitionCount));
  // The caller gets a failure through `ended`, but may not be waiting for it yet.
  ended.catch(() => undefined);
  stack.keep({
    async close() {
      stop.abort();
      await ended.catch(() => undefined);
    },
  });
  return {
    ended,
    ledgers,
    counters: () => partitions.counters(),
    partitions: () => partitions.states(),
    lag: () => eventLog.lag(),
    keyReads: () => engines.keyReads.totals(),
  };
}

function workOf(parts: SequencerParts, eventLog: EventLog): PartitionWork {
  const { context, partitions, ownEvents, logger } = parts;
  return {
    partitions,
    logger,
    open: (partition) => openLogOf(parts, partition),
    start: (partition, open) => createRunning(parts, eventLog, { partition, open }),
    onParked(partition, failure) {
      ownEvents.report(toParkedEvent({ log: logOf(partition), ...failure }, context.system.clock()));
    },
    sleep: context.system.sleep,
  };
}

async function openLogOf(parts: SequencerParts, partition: number): Promise<OpenLog> {
  const { context, engines, folder, partitions } = parts;
  // Opening makes missing folders, and a fresh head guard would know no head.
  await folder.requireUnchanged();
  const deployed = engines.deployment.logs[partition];
  if (deployed === undefined) {
    throw new PipelineError('INTERNAL', `partition ${String(partition)} has no log`);
  }
  return openLog(context, engines, deployed, {
    onReplay: (leavesDone, leavesTotal) => partitions.fillingRows(partition, leavesDone, leavesTotal),
    onClockBehind: (step) => reportClockStep(parts, deployed.log, step),
  });
}

/** Receipts that differ by less from the one that was reported last belong to the same step. */
const SAME_STEP_MS = 3_600_000;

/** Once for each step: until the clock has caught up, the newest bundle keeps its time, and records come ahead of it. */
function reportClockStep(
  { clockSteps, ownEvents, logger }: SequencerParts,
  log: string,
  step: ClockStep,
): void {
  const { reason, known_at } = step;
  const atMs = Date.parse(known_at);
  const place = `${log} ${reason}`;
  const lastMs = clockSteps.get(place);
  const isSame = reason === 'behind' ? lastMs === atMs : Math.abs(atMs - (lastMs ?? 0)) < SAME_STEP_MS;
  if (isSame) return;
  clockSteps.set(place, atMs);
  logger.warn(
    { log, ...step },
    'the clock is behind what the log knows: a clock was ahead before, or this one is wrong now; sealing goes on',
  );
  ownEvents.report(toClockStepEvent(log, step));
}

function createRunning(
  { context, engines, normalise, ownRecord, eventLogKey, logger }: SequencerParts,
  eventLog: EventLog,
  { partition, open: { ledger, seenIds } }: { readonly partition: number; readonly open: OpenLog },
): RunningSequencer {
  const { config, limits, system } = context;
  const sequencer = createSequencer({
    eventLog,
    ledger,
    seenIds,
    normalise,
    ownRecord,
    clock: system.clock,
    acceptedEventLog: engines.deployment.event_log,
    eventLogKey: eventLogKey?.key.sha256,
    hadUnnumbered: eventLogKey?.hadUnnumbered,
    partition,
    logger: config.kafka.brokers === undefined ? logger : logger.child({ partition }),
    maxBatchEnvelopes: limits.maxBatchEnvelopes,
    maxBatchBytes: limits.maxBatchBytes,
    sleep: system.sleep,
  });
  return { sequencer, ledger };
}
