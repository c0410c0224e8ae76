/** Somebody else's topic, read in a group of this program's own. */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { PipelineError } from '../../schemas/errors.ts';
import type { GatewayTopic, ReadTopicOptions } from '../pull/gateway-topic.ts';
import { createAsker, type Asker } from './asker.ts';
import { createClient } from './client.ts';
import { endsClaim, toPipelineError, withDeadline } from './errors.ts';
import { fetchCommits, fetchRanges } from './offsets.ts';
import type { KafkaConnection } from './options.ts';
import { createReach, type Reach } from './reach.ts';

export interface KafkaTopicOptions extends KafkaConnection {
  readonly topic: string;
  readonly groupId: string;
  /** How long a silent process keeps its partitions. @default 30000 */
  readonly sessionTimeoutMs?: number;
  /** How long the client may do nothing before it is given up. @default 120000 */
  readonly stalledAfterMs?: number;
}

const SESSION_TIMEOUT_MS = 30_000;
const STALLED_AFTER_MS = 120_000;
const HEARTBEAT_MS = 2_000;
const LOOK_MS = 500;
const LEAVE_MS = 30_000;

/** Connects nothing yet. */
export function openKafkaTopic(options: KafkaTopicOptions): GatewayTopic {
  const kafka = createClient(options);
  const asker = createAsker({ kafka });
  const attempted = `topic ${options.topic} cannot be read`;
  return {
    read: async (reading) => {
      try {
        await readTopic({ options, kafka, asker }, reading);
      } catch (error) {
        throw isOfClient(error) ? toPipelineError(error, attempted) : error;
      }
    },
    close: () => asker.close(),
  };
}

function isOfClient(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}

interface Context {
  readonly options: KafkaTopicOptions;
  readonly kafka: Kafka;
  readonly asker: Asker;
}

async function readTopic(context: Context, reading: ReadTopicOptions): Promise<void> {
  const { topic, groupId } = context.options;
  const [ranges, commits] = await Promise.all([
    fetchRanges(context.asker, topic),
    fetchCommits(context.asker, groupId, topic),
  ]);
  // Asked before the client joins, which moves a group that is behind the log's beginning without a word.
  for (const [partition, from] of commits) {
    const { low } = ranges.get(partition) ?? { low: 0n };
    if (low > from) reading.onGap({ partition, from, to: low });
  }
  const reach = createReach(ranges, commits);
  if (reading.signal.aborted || (reading.once && reach.isThere())) return;
  const consumer = createConsumer(context);
  try {
    await untilEnd(context, consumer, { reading, reach });
  } finally {
    // The batch in hand is waited for in here.
    await withDeadline(consumer.disconnect(), LEAVE_MS, 'consumer group').catch(() => undefined);
  }
}

interface Way {
  readonly reading: ReadTopicOptions;
  readonly reach: Reach;
}

async function untilEnd(context: Context, consumer: Consumer, way: Way): Promise<void> {
  const { options, asker } = context;
  const { reading, reach } = way;
  const { signal, once } = reading;
  await new Promise<void>((resolve, reject) => {
    let aliveAtMs = performance.now();
    let isLooking = false;
    let isOver = false;
    const end = (failure?: unknown): void => {
      isOver = true;
      clearInterval(timer);
      signal.removeEventListener('abort', onAbort);
      if (failure === undefined) resolve();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever it is
      else reject(failure);
    };
    const onAbort = (): void => end();
    /** What another member of the group has read is seen from its commits alone. */
    const look = async (): Promise<void> => {
      const stalledAfterMs = options.stalledAfterMs ?? STALLED_AFTER_MS;
      if (performance.now() - aliveAtMs > stalledAfterMs) {
        throw new PipelineError('LOG_UNAVAILABLE', 'the client of the consumer group does nothing');
      }
      if (!once || isLooking) return;
      isLooking = true;
      reach.learn(await fetchCommits(asker, options.groupId, options.topic));
      isLooking = false;
      if (reach.isThere()) end();
    };
    const timer = setInterval(() => void look().catch(end), LOOK_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    const { REQUEST, CRASH, GROUP_JOIN, END_BATCH_PROCESS } = consumer.events;
    consumer.on(REQUEST, () => {
      aliveAtMs = performance.now();
    });
    consumer.on(GROUP_JOIN, () => reach.forget());
    consumer.on(END_BATCH_PROCESS, ({ payload: { partition, batchSize, lastOffset } }) => {
      // Markers of transactions alone: nobody is handed them, and nothing commits behind them.
      if (batchSize === 0) reach.pass(partition, BigInt(lastOffset) + 1n);
      if (once && reach.isThere()) end();
    });
    consumer.on(CRASH, ({ payload }) => {
      if (!payload.restart) end(payload.error);
    });
    run(consumer, options.topic, async (payload) => {
      if (isOver || !payload.isRunning() || payload.isStale()) return;
      try {
        if (!(await take(context, way, payload))) end();
      } catch (error) {
        // The client answers the end of a claim by joining again; all else ends the reading.
        if (endsClaim(error)) throw error;
        end(error);
      }
    }).catch(end);
  });
}

/** Hands a batch on, and moves the group behind it. Resolves whether to go on. */
async function take({ options, asker }: Context, { reading, reach }: Way, payload: EachBatchPayload) {
  const { batch } = payload;
  const { partition, messages } = batch;
  const next = BigInt(batch.lastOffset()) + 1n;
  const first = BigInt(messages[0]?.offset ?? batch.lastOffset());
  const expected = reach.expected(partition);
  if (expected !== undefined && first > expected) {
    // Compaction leaves holes too, and markers of transactions; only what lies before the log's beginning is lost.
    const { low } = (await fetchRanges(asker, options.topic)).get(partition) ?? { low: 0n };
    if (low > expected) reading.onGap({ partition, from: expected, to: low });
  }
  const pulse = setInterval(() => void payload.heartbeat().catch(() => undefined), HEARTBEAT_MS);
  try {
    const values = messages.map(({ offset, value }) => ({ offset: BigInt(offset), value }));
    if (!(await reading.onBatch({ partition, messages: values, next }))) return false;
  } finally {
    clearInterval(pulse);
  }
  const last = messages.at(-1)?.offset;
  if (last !== undefined) payload.resolveOffset(last);
  const partitions = [{ partition, offset: String(next) }];
  await payload.commitOffsetsIfNecessary({ topics: [{ topic: options.topic, partitions }] });
  reach.pass(partition, next);
  return true;
}

async function run(
  consumer: Consumer,
  topic: string,
  eachBatch: (payload: EachBatchPayload) => Promise<void>,
): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 1,
    eachBatch,
  });
}

function createConsumer({ kafka, options }: Context): Consumer {
  const sessionTimeout = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
  return kafka.consumer({
    groupId: options.groupId,
    sessionTimeout,
    heartbeatInterval: Math.min(HEARTBEAT_MS, sessionTimeout / 3),
    maxWaitTimeInMs: 500,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
  });
}
