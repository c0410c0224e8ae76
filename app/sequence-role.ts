/** Runs sequencers: one on the embedded event log, or one for each partition that Kafka assigns to this process. */
import type { Logger } from 'pino';
import type { AppContext } from './context.ts';
import { openEmbedded, openKafka, readGatewayMappings } from './engines.ts';
import { openLog, type CloseStack, type Engines, type OpenLog } from './logs.ts';
import type { OwnEvents } from './own-events.ts';
import { dataPaths, readPseudonymKey } from './paths.ts';
import { sourcesWith } from '../connectors/sources/index.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { createNormaliser, type Normalise } from '../ingest/normalise.ts';
import { createOwnRecords, type MakeOwnRecord } from '../ingest/own-records.ts';
import { createSequencer, type Sequencer, type SequencerCounters } from '../ingest/sequencer.ts';
import { createSurrogates } from '../ingest/surrogates.ts';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';
import type { Ledger } from '../store/ledger/ledger.ts';

const RETENTION_CLASS = 'standard';
/** The wait before a log is reopened for the first time; each later wait is twice as long. */
const FIRST_REOPEN_WAIT_MS = 500;
/** The longest of these waits. A sequencer that ran for longer begins again with the shortest. */
const MAX_REOPEN_WAIT_MS = 10_000;

/** Sealing as the other roles of this process see it. */
export interface Sequencing {
  /** Rejects if continuing could fork the log or lose records; resolves after the stack was closed. */
  readonly ended: Promise<void>;
  /** Ledgers that are open now. */
  ledgers(): readonly Ledger[];
  counters(): SequencerCounters;
  /** Errors that a sequencer of this process is retrying now. */
  retrying(): readonly ErrorCode[];
  lag(): ReturnType<EventLog['lag']>;
}

export interface SequencingParts {
  readonly engines: Engines;
  readonly ownEvents: OwnEvents;
}

/** A sequencer and the ledger it appends to. */
interface RunningSequencer {
  readonly sequencer: Sequencer;
  readonly ledger: Ledger;
}

/** Shared by the sequencers of this process. */
interface SequencerParts {
  readonly context: AppContext;
  readonly engines: Engines;
  readonly eventLog: EventLog;
  readonly normalise: Normalise;
  readonly ownRecord: MakeOwnRecord;
  readonly logger: Logger;
}

/** Starts sealing. On the embedded event log the ledger is open when this resolves, so that doubt refuses the start. */
export async function startSequencing(
  context: AppContext,
  { engines, ownEvents }: SequencingParts,
  stack: CloseStack,
): Promise<Sequencing> {
  const { config, replaced } = context;
  const named = {
    surrogates: createSurrogates(await readPseudonymKey(dataPaths(config))),
    retentionClass: RETENTION_CLASS,
  };
  const normalise = createNormaliser({ ...named, sources: sourcesWith(await readGatewayMappings(config)) });
  const stats = new RunStats();
  const logger = context.logger.child({ role: 'sequence' });
  const common = { context, engines, normalise, ownRecord: createOwnRecords(named), logger };
  const stop = new AbortController();
  let ended: Promise<void>;
  let eventLog: EventLog;
  if (config.kafka.brokers === undefined) {
    const open = stack.keep(await openLogOf(common, 0));
    eventLog = replaced.eventLog ?? stack.keep(await openEmbedded(context));
    const running = createRunning({ ...common, eventLog }, 0, open);
    // Before a receiver of this process can append: a doubtful log takes nothing.
    await running.sequencer.settle();
    ended = stats.run(0, running, stop.signal);
  } else {
    const shared = stack.keep(await openKafka({ ...context, logger: common.logger }));
    eventLog = shared;
    const parts = { ...common, eventLog: shared };
    ended = shared.assignments(
      (partition, signal) => runPartition(parts, stats, partition, signal),
      stop.signal,
    );
  }
  ownEvents.bind(eventLog);
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
    ledgers: () => stats.ledgers(),
    counters: () => stats.counters(),
    retrying: () => stats.retrying(),
    lag: () => eventLog.lag(),
  };
}

/** Seals a partition while it is assigned. Transient errors and lost races are handled by reopening the log. */
async function runPartition(
  parts: SequencerParts,
  stats: RunStats,
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  let waitMs = FIRST_REOPEN_WAIT_MS;
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    try {
      const open = await openLogOf(parts, partition);
      try {
        await stats.run(partition, createRunning(parts, partition, open), signal);
      } finally {
        await open.close();
      }
    } catch (error) {
      if (!(error instanceof PipelineError) || !mayReopen(error)) throw error;
      const { code, detail } = error;
      // After a lost race the partition may belong to another process. The archive has let only one of the two commit.
      parts.logger.warn(
        { code, detail, partition, waitMs },
        'sealing of the partition failed, reopening its log',
      );
      stats.fail(partition, code);
      if (performance.now() - startedAtMs > MAX_REOPEN_WAIT_MS) waitMs = FIRST_REOPEN_WAIT_MS;
      await parts.context.system.sleep(waitMs, signal);
      waitMs = Math.min(2 * waitMs, MAX_REOPEN_WAIT_MS);
    }
  }
  stats.forget(partition);
}

function mayReopen({ code, retry }: PipelineError): boolean {
  return retry !== 'never' || code === 'LEDGER_LOST_RACE';
}

function openLogOf(
  { context, engines }: Pick<SequencerParts, 'context' | 'engines'>,
  partition: number,
): Promise<OpenLog> {
  const deployed = engines.deployment.logs[partition];
  if (deployed === undefined) {
    throw new PipelineError('INTERNAL', `partition ${String(partition)} has no log`);
  }
  return openLog(context, engines, deployed);
}

function createRunning(
  { context, eventLog, normalise, ownRecord, logger }: SequencerParts,
  partition: number,
  { ledger, seenIds }: OpenLog,
): RunningSequencer {
  const { config, limits, system } = context;
  const sequencer = createSequencer({
    eventLog,
    ledger,
    seenIds,
    normalise,
    ownRecord,
    clock: system.clock,
    acceptedEventLog: undefined,
    partition,
    logger: config.kafka.brokers === undefined ? logger : logger.child({ partition }),
    maxBatchEnvelopes: limits.maxBatchEnvelopes,
    maxBatchBytes: limits.maxBatchBytes,
    sleep: system.sleep,
  });
  return { sequencer, ledger };
}

/** The sequencers that run in this process by partition, and the counters of those that have ended. */
class RunStats {
  readonly #running = new Map<number, RunningSequencer>();
  readonly #failing = new Map<number, ErrorCode>();
  readonly #ended: SequencerCounters[] = [];

  async run(partition: number, running: RunningSequencer, signal: AbortSignal): Promise<void> {
    this.#running.set(partition, running);
    this.#failing.delete(partition);
    try {
      await running.sequencer.run(signal);
    } finally {
      this.#running.delete(partition);
      this.#ended.push(running.sequencer.counters);
    }
  }

  /** The partition waits until its log is reopened. */
  fail(partition: number, code: ErrorCode): void {
    this.#failing.set(partition, code);
  }

  /** The partition is no longer assigned to this process. */
  forget(partition: number): void {
    this.#failing.delete(partition);
  }

  ledgers(): Ledger[] {
    return [...this.#running.values()].map(({ ledger }) => ledger);
  }

  retrying(): ErrorCode[] {
    const running = [...this.#running.values()].flatMap(({ sequencer }) => sequencer.retrying());
    return [...new Set([...this.#failing.values(), ...running])];
  }

  counters(): SequencerCounters {
    const running = [...this.#running.values()].map(({ sequencer }) => sequencer.counters);
    return sum([...this.#ended, ...running]);
  }
}

function sum(all: readonly SequencerCounters[]): SequencerCounters {
  const total = {
    envelopes: 0,
    records: 0,
    duplicates: 0,
    quarantined: 0,
    deadLetters: 0,
    batches: 0,
    failures: 0,
  };
  for (const one of all) {
    for (const name of Object.keys(total) as (keyof SequencerCounters)[]) total[name] += one[name];
  }
  return total;
}
