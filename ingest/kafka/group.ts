/**
 * Membership of the consumer group: which partitions are this process's, and fetching them. Partitions that nobody
 * reads here are paused; a partition is read from where its reader says, whatever the group has committed.
 */
import kafkajs, {
  type Consumer,
  type ConsumerCommitOffsetsEvent,
  type ConsumerGroupJoinEvent,
  type EachBatchPayload,
  type Kafka,
} from 'kafkajs';
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import { toPipelineError, withDeadline } from './errors.ts';

export interface GroupOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly groupId: string;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** How long the client may do nothing before it is given up. @default a join that waits for all others, and more */
  readonly stalledAfterMs?: number;
  readonly logger: Logger;
}

/** Who reads one partition. */
export interface Reader {
  /** Offset to fetch from. */
  next(): bigint;
  /** Gets what was fetched; the partition cannot move to another process before it resolves. */
  take(payload: EachBatchPayload): Promise<void>;
  /** The brokers know that all before this offset is done. */
  kept(next: bigint): void;
  /** The partition is no longer this process's, or was not for a while. */
  lose(reason: PipelineError): void;
}

export interface Assignment {
  readonly assigned: ReadonlySet<number>;
  /** Those that somebody else may have had meanwhile, though they may be assigned again. */
  readonly lost: ReadonlySet<number>;
}

export interface Group {
  /** Joins the group unless it was joined; it is left a while after the last `release`. */
  hold(): Promise<void>;
  release(): void;
  attach(partition: number, reader: Reader): void;
  detach(partition: number): void;
  /** Tells the brokers that all before `next` is done; `kept` says when they know. A hint, so failures are not told. */
  commit(partition: number, next: bigint): void;
  /** Called at once with what is assigned, and at every change; the result ends it. */
  watch(listener: (assignment: Assignment) => void): () => void;
  close(): Promise<void>;
}

const LINGER_MS = 3_000;
const TEND_MS = 1_000;
const REQUEST_MARGIN_MS = 30_000;
export const HEARTBEAT_MS = 2_000;
const FETCH_WAIT_MS = 500;
const FETCH_MAX_BYTES = 8 * 1024 * 1024;
const FETCH_MAX_PARTITION_BYTES = 2 * 1024 * 1024;
const NOBODY: ReadonlySet<number> = new Set();

interface State {
  readonly options: GroupOptions;
  readonly readers: Map<number, Reader>;
  readonly listeners: Set<(assignment: Assignment) => void>;
  readonly stalledAfterMs: number;
  consumer: Consumer | undefined;
  /** When the consumer last did something; of `performance.now`. */
  aliveAtMs: number;
  memberId: string | undefined;
  assigned: ReadonlySet<number>;
}

export function createGroup(options: GroupOptions): Group {
  const state: State = {
    options,
    readers: new Map(),
    listeners: new Set(),
    stalledAfterMs:
      options.stalledAfterMs ?? options.sessionTimeoutMs + options.rebalanceTimeoutMs + REQUEST_MARGIN_MS,
    consumer: undefined,
    aliveAtMs: 0,
    memberId: undefined,
    assigned: NOBODY,
  };
  return {
    ...createMembership(state),
    attach: (partition, reader) => {
      state.readers.set(partition, reader);
      if (state.assigned.has(partition)) steer(state, partition);
    },
    detach: (partition) => {
      if (state.readers.delete(partition) && state.assigned.has(partition)) steer(state, partition);
    },
    commit: (partition, next) => {
      const offsets = [{ topic: options.topic, partition, offset: String(next) }];
      state.consumer?.commitOffsets(offsets).catch(() => undefined);
    },
    watch: (listener) => {
      state.listeners.add(listener);
      listener({ assigned: state.assigned, lost: NOBODY });
      return () => state.listeners.delete(listener);
    },
  };
}

/**
 * While it is held, the membership is tended: the client library can end for good, or wait for ever for an answer that
 * was lost with a connection, and says nothing of it. Then its partitions are lost and another client joins.
 */
function createMembership(state: State): Pick<Group, 'hold' | 'release' | 'close'> {
  const { logger } = state.options;
  let holders = 0;
  let linger: NodeJS.Timeout | undefined;
  let tending: NodeJS.Timeout | undefined;
  let changes = 0;
  let changing: Promise<void> = Promise.resolve();

  /** One change of the membership after the other. */
  function change(step: (state: State) => Promise<void>): Promise<void> {
    changes += 1;
    const changed = changing.then(() => step(state)).finally(() => (changes -= 1));
    changing = changed.catch(() => undefined);
    return changed;
  }
  const leaveUnlessHeld = (): Promise<void> => (holders === 0 ? leave(state) : Promise.resolve());
  const joinIfHeld = (): Promise<void> => (holders > 0 ? join(state) : Promise.resolve());

  function tend(): void {
    if (changes > 0) return;
    if (state.consumer !== undefined && performance.now() - state.aliveAtMs > state.stalledAfterMs) {
      logger.warn({ stalledAfterMs: state.stalledAfterMs }, 'the client does nothing, another joins');
      abandon(state, new PipelineError('LOG_UNAVAILABLE', 'the client of the consumer group does nothing'));
    }
    if (state.consumer === undefined) change(joinIfHeld).catch(() => undefined);
  }

  return {
    hold: () => {
      holders += 1;
      clearTimeout(linger);
      tending ??= setInterval(tend, TEND_MS).unref();
      return change(join);
    },
    release: () => {
      holders -= 1;
      if (holders > 0) return;
      clearInterval(tending);
      tending = undefined;
      linger = setTimeout(() => void change(leaveUnlessHeld), LINGER_MS);
      linger.unref();
    },
    close: () => {
      clearTimeout(linger);
      clearInterval(tending);
      return change(leave);
    },
  };
}

function onJoin(state: State, { memberId, memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
  const { readers, options } = state;
  const before = state.assigned;
  // Whoever keeps its member id was there at every change; whoever has a new one was put out meanwhile.
  const wasAway = memberId !== state.memberId;
  state.memberId = memberId;
  const assigned = new Set(memberAssignment[options.topic] ?? []);
  state.assigned = assigned;
  const lost = new Set([...before].filter((partition) => wasAway || !assigned.has(partition)));
  options.logger.info({ partitions: [...assigned], lost: [...lost] }, 'partitions assigned');
  for (const listener of state.listeners) listener({ assigned, lost });
  for (const partition of lost) {
    const reader = readers.get(partition);
    readers.delete(partition);
    reader?.lose(new PipelineError('LOG_UNAVAILABLE', `partition ${partition} was not held all the time`));
  }
  for (const partition of assigned) steer(state, partition);
}

function onCommit({ readers, options }: State, { topics }: ConsumerCommitOffsetsEvent['payload']): void {
  for (const { topic, partitions } of topics) {
    if (topic !== options.topic) continue;
    for (const { partition, offset } of partitions) readers.get(partition)?.kept(BigInt(offset));
  }
}

function steer({ consumer, readers, options: { topic } }: State, partition: number): void {
  const reader = readers.get(partition);
  const place = { topic, partitions: [partition] };
  if (reader === undefined) {
    consumer?.pause([place]);
  } else {
    consumer?.seek({ topic, partition, offset: String(reader.next()) });
    consumer?.resume([place]);
  }
}

function forget(state: State, reason: PipelineError): void {
  const lost = state.assigned;
  state.consumer = undefined;
  state.memberId = undefined;
  state.assigned = NOBODY;
  for (const listener of state.listeners) listener({ assigned: NOBODY, lost });
  for (const reader of state.readers.values()) reader.lose(reason);
  state.readers.clear();
}

/** What is still under way in it goes nowhere, and it is not waited for. */
function abandon(state: State, reason: PipelineError): void {
  state.consumer?.disconnect().catch(() => undefined);
  forget(state, reason);
}

async function join(state: State): Promise<void> {
  if (state.consumer !== undefined) return;
  const consumer = createConsumer(state.options);
  state.consumer = consumer;
  state.aliveAtMs = performance.now();
  listen(state, consumer);
  try {
    await withDeadline(run(state, consumer), state.stalledAfterMs, 'consumer group');
  } catch (error) {
    const failure = toPipelineError(error, 'consumer group cannot be joined');
    abandon(state, failure);
    throw failure;
  }
}

function listen(state: State, consumer: Consumer): void {
  const { GROUP_JOIN, COMMIT_OFFSETS, CRASH, REQUEST } = consumer.events;
  const isCurrent = (): boolean => state.consumer === consumer;
  consumer.on(REQUEST, () => {
    if (isCurrent()) state.aliveAtMs = performance.now();
  });
  consumer.on(GROUP_JOIN, ({ payload }) => {
    if (isCurrent()) onJoin(state, payload);
  });
  consumer.on(COMMIT_OFFSETS, ({ payload }) => {
    if (isCurrent()) onCommit(state, payload);
  });
  consumer.on(CRASH, ({ payload }) => {
    if (!isCurrent()) return;
    state.aliveAtMs = performance.now();
    if (!payload.restart) forget(state, toPipelineError(payload.error, 'consumer group'));
  });
}

async function run(state: State, consumer: Consumer): Promise<void> {
  const { topic, partitions } = state.options;
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: partitions,
    eachBatch: async (payload) => {
      if (state.consumer !== consumer) return;
      await state.readers.get(payload.batch.partition)?.take(payload);
    },
  });
}

async function leave(state: State): Promise<void> {
  const { consumer } = state;
  if (consumer === undefined) return;
  // The batch in hand is waited for in here, and acknowledged.
  await withDeadline(consumer.disconnect(), state.stalledAfterMs, 'consumer group').catch(() => undefined);
  if (state.consumer === consumer) {
    forget(state, new PipelineError('LOG_UNAVAILABLE', 'the consumer group was left'));
  }
}

function createConsumer({ kafka, groupId, sessionTimeoutMs, rebalanceTimeoutMs }: GroupOptions): Consumer {
  return kafka.consumer({
    groupId,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: Math.min(HEARTBEAT_MS, sessionTimeoutMs / 3),
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytes: FETCH_MAX_BYTES,
    maxBytesPerPartition: FETCH_MAX_PARTITION_BYTES,
    partitionAssigners: [kafkajs.PartitionAssigners.roundRobin],
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
  });
}
