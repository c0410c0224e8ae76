/**
 * The context that each part of the composition is handed: configuration, process log, and the machine it runs on. The
 * only place that binds clock, ids and randomness. Tests replace any of it, and whole engines, through `Overrides`.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { destination, pino, type Logger } from 'pino';
import type { Config } from '../config.ts';
import type { EventLog } from '../ingest/event-log.ts';
import type { Clock } from '../schemas/clock.ts';
import { MAX_BACKLOG_PER_COLLECTOR_PERCENT } from '../schemas/config-contradictions.ts';
import type { Archive } from '../store/archive/archive.ts';
import type { KeyStore } from '../store/data-keys/key-store.ts';
import type { RecordStore } from '../store/records/record-store.ts';

/** Requests that are not sealed yet; beyond it receivers answer 503. `ingest.max_backlog_bytes` bounds their bytes. */
const MAX_BACKLOG_ENVELOPES = 5_000_000;
/** Requests that the sequencer seals in one bundle. */
const MAX_BATCH_ENVELOPES = 5_000;
/** Request bytes that the sequencer seals in one bundle; a single larger request makes a bundle by itself. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Rows that one query may read from the record store. */
const MAX_QUERY_ROWS = 1_000_000_000;
/** A sequencer that is silent for so long loses its partitions to the others of its group. */
const KAFKA_SESSION_TIMEOUT_MS = 30_000;

/** Limits without a configuration key. */
const LIMITS = {
  maxBacklogEnvelopes: MAX_BACKLOG_ENVELOPES,
  maxBacklogPerCollectorPercent: MAX_BACKLOG_PER_COLLECTOR_PERCENT,
  maxBatchEnvelopes: MAX_BATCH_ENVELOPES,
  maxBatchBytes: MAX_BATCH_BYTES,
  maxQueryRows: MAX_QUERY_ROWS,
  kafkaSessionTimeoutMs: KAFKA_SESSION_TIMEOUT_MS,
};
export type Limits = Readonly<typeof LIMITS>;

/** Clock, ids and randomness. */
export interface System {
  readonly clock: Clock;
  /** An id that cannot be guessed and never repeats. */
  readonly newId: () => string;
  /** Even in [0, 1); for jitter, never for secrets. */
  readonly random: () => number;
  readonly randomBytes: (count: number) => Buffer;
  /** Resolves after so many milliseconds, or when the signal is aborted. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** The machine that this process runs on. */
export const SYSTEM: System = {
  clock: Date.now,
  newId: () => randomUUID(),
  random: () => Math.random(),
  randomBytes: (count) => randomBytes(count),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};

/** Engines to use instead of the configured ones. The caller closes an engine that it gave. */
export interface ReplacedEngines {
  readonly archive?: Archive | undefined;
  readonly records?: RecordStore | undefined;
  readonly dataKeys?: KeyStore | undefined;
  readonly eventLog?: EventLog | undefined;
}

/** Replaces parts of the composition; for tests. */
export interface Overrides extends Partial<System>, ReplacedEngines {
  readonly logger?: Logger;
  readonly limits?: Partial<Limits>;
}

export interface AppContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly system: System;
  readonly limits: Limits;
  readonly replaced: ReplacedEngines;
  /** Whether a function or an engine was replaced, which cannot be handed to another thread. */
  readonly hasReplacements: boolean;
}

export function createContext(config: Config, overrides: Overrides = {}): AppContext {
  const {
    logger = createLogger(config),
    limits,
    archive,
    records,
    dataKeys,
    eventLog,
    ...system
  } = overrides;
  return {
    config,
    logger,
    system: { ...SYSTEM, ...system },
    limits: { ...LIMITS, ...limits },
    replaced: { archive, records, dataKeys, eventLog },
    hasReplacements: Object.keys(overrides).some((name) => name !== 'limits'),
  };
}

const STANDARD_ERROR = 2;

/** Log lines go to standard error; standard output is for people and for `--json`. */
export function createLogger(
  { log_level: level }: Pick<Config, 'log_level'>,
  base: Readonly<Record<string, string>> | null = null,
): Logger {
  const redact = {
    paths: ['req.headers', 'token', '*.token', 'authorization', '*.authorization'],
    remove: true,
  };
  return pino({ level, redact, base }, destination({ fd: STANDARD_ERROR, sync: true }));
}
