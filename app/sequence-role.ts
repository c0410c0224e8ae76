/** Runs sequencers: one on the embedded event log, or one per partition that Kafka assigns. Part of the composition root. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openEmbedded, openKafka } from './event-log.ts';
import { readGatewayMappings } from './gateway-mappings.ts';
import type { OwnEvents } from './own-events.ts';
import { dataPaths, readPseudonymKey } from './paths.ts';
import { openLog, type CloseStack, type Engines, type OpenLog } from './logs.ts';
import type { Config } from '../config.ts';
import { connectorsWith } from '../connectors/sources/index.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { createNormaliser, type Normalise } from '../ingest/normalise.ts';
import { createSequencer, type Sequencer, type SequencerCounters } from '../ingest/sequencer.ts';
import { createSurrogates } from '../ingest/surrogates.ts';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';
import type { Ledger } from '../store/ledger/ledger.ts';

const RETENTION_CLASS = 'standard';
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

/** What the other roles of this process may know of sealing. */
export interface Sequencing {
  /** Rejects when going on could fork or lose; resolves after the stack was closed. */
  readonly ended: Promise<void>;
  /** Ledgers that are open now. */
  ledgers(): readonly Ledger[];
  counters(): SequencerCounters;
  retrying(): readonly ErrorCode[];
  lag(): ReturnType<EventLog['lag']>;
}

export interface SequencingParts {
  readonly engines: Engines;
  readonly ownEvents: OwnEvents;
  readonly logger: Logger;
}

interface Running {
  readonly sequencer: Sequencer;
  readonly ledger: Ledger;
}

interface Parts {
  readonly config: Config;
  readonly engines: Engines;
  readonly eventLog: EventLog;
  readonly normalise: Normalise;
  readonly logger: Logger;
}

/** Starts sealing. With the embedded event log the ledger is open when this resolves, so that doubt refuses the start. */
export async function startSequencing(
  config: Config,
  { engines, ownEvents, logger }: SequencingParts,
  stack: CloseStack,
): Promise<Sequencing> {
  const normalise = createNormaliser({
    surrogates: createSurrogates(await readPseudonymKey(dataPaths(config))),
    retentionClass: RETENTION_CLASS,
    connectors: connectorsWith(await readGatewayMappings(config)),
  });
  const board = createBoard();
  const common = { config, engines, normalise, logger: logger.child({ role: 'sequence' }) };
  const stop = new AbortController();
  let ended: Promise<void>;
  let eventLog: EventLog;
  if (config.kafka.brokers === undefined) {
    const open = stack.keep(await openLogOf(common, 0));
    eventLog = stack.keep(await openEmbedded(config));
    ended = board.run(0, start({ ...common, eventLog }, 0, open), stop.signal);
  } else {
    const shared = stack.keep(await openKafka(config, common.logger));
    eventLog = shared;
    const run = (partition: number, signal: AbortSignal) =>
      runPartition({ ...common, eventLog: shared }, board, partition, signal);
    ended = shared.assignments(run, stop.signal);
  }
  ownEvents.bind(eventLog);
  // Whoever waits on `ended` gets the failure; nobody may be waiting yet.
  ended.catch(() => undefined);
  stack.keep({
    async close() {
      stop.abort();
      await ended.catch(() => undefined);
    },
  });
  return { ...board, ended, lag: () => eventLog.lag() };
}

/** Seals one partition while it is assigned. What passes, and the loss of a race, is met by opening the log anew. */
async function runPartition(
  parts: Parts,
  board: Board,
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    try {
      const open = await openLogOf(parts, partition);
      try {
        await board.run(partition, start(parts, partition, open), signal);
      } finally {
        await open.close();
      }
    } catch (error) {
      if (!(error instanceof PipelineError) || !mayReopen(error)) throw error;
      const { code, detail } = error;
      // The partition may have gone to another process, which this one will hear of; the archive let only one commit.
      parts.logger.warn({ code, detail, partition, retryMs }, 'partition given up, will open its log anew');
      board.fail(partition, code);
      if (performance.now() - startedAtMs > LONGEST_RETRY_MS) retryMs = FIRST_RETRY_MS;
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    }
  }
  board.forget(partition);
}

function mayReopen({ code, retry }: PipelineError): boolean {
  return retry !== 'never' || code === 'LEDGER_LOST_RACE';
}

function openLogOf(
  { config, engines }: Pick<Parts, 'config' | 'engines'>,
  partition: number,
): Promise<OpenLog> {
  const named = engines.deployment.logs[partition];
  if (named === undefined) throw new PipelineError('INTERNAL', `partition ${String(partition)} has no log`);
  return openLog(config, engines, named);
}

function start({ config, eventLog, normalise, logger }: Parts, partition: number, open: OpenLog): Running {
  const sequencer = createSequencer({
    ...{ eventLog, ledger: open.ledger, seenIds: open.seenIds, normalise, partition },
    logger: config.kafka.brokers === undefined ? logger : logger.child({ partition }),
    maxBatchEnvelopes: config.sequencer.max_batch_envelopes,
    maxBatchBytes: config.sequencer.max_batch_bytes,
    sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
  });
  return { sequencer, ledger: open.ledger };
}

/** Which partitions run here, and the sums of what has run. */
function createBoard() {
  const running = new Map<number, Running>();
  const failing = new Map<number, ErrorCode>();
  const past: SequencerCounters[] = [];
  return {
    async run(partition: number, one: Running, signal: AbortSignal): Promise<void> {
      running.set(partition, one);
      failing.delete(partition);
      try {
        await one.sequencer.run(signal);
      } finally {
        running.delete(partition);
        past.push(one.sequencer.counters);
      }
    },
    fail: (partition: number, code: ErrorCode) => void failing.set(partition, code),
    forget: (partition: number) => void failing.delete(partition),
    ledgers: () => [...running.values()].map(({ ledger }) => ledger),
    retrying: () => [
      ...new Set([
        ...failing.values(),
        ...[...running.values()].flatMap(({ sequencer }) => sequencer.retrying()),
      ]),
    ],
    counters: () => sum([...past, ...[...running.values()].map(({ sequencer }) => sequencer.counters)]),
  };
}
type Board = ReturnType<typeof createBoard>;

function sum(all: readonly SequencerCounters[]): SequencerCounters {
  const total = { envelopes: 0, records: 0, duplicates: 0, quarantined: 0, batches: 0, failures: 0 };
  for (const one of all) {
    for (const name of Object.keys(total) as (keyof SequencerCounters)[]) total[name] += one[name];
  }
  return total;
}
