/** A gateway's topic, read in a consumer group that belongs to this program. */
import type { Kafka } from 'kafkajs';
import { PipelineError } from '../../schemas/errors.ts';
import type { GatewayTopic, ReadTopicOptions } from '../pull/gateway-topic.ts';
import type { FetchedBatch, OffsetReader } from './client.ts';
import { KafkaFailure, toPipelineError } from './errors.ts';
import { GroupProgress } from './group-progress.ts';
import { createAdminClient, createOffsetReader } from './kafkajs/admin-client.ts';
import { createKafka } from './kafkajs/connect.ts';
import { ConsumerSession } from './kafkajs/consumer-session.ts';
import type { KafkaConnection } from './options.ts';

export interface KafkaGatewayTopicOptions extends KafkaConnection {
  readonly topic: string;
  readonly groupId: string;
  /** How long a silent process keeps its partitions. @default 30000 */
  readonly sessionTimeoutMs?: number;
  /** How long the consumer may do nothing before the reading fails. @default 120000 */
  readonly stalledAfterMs?: number;
}

/** The brokers give the partitions of a silent puller to another one after this time. */
const SESSION_TIMEOUT_MS = 30_000;
/** A consumer without a sign of life for this time is taken for dead. */
const STALLED_AFTER_MS = 120_000;
/** How often the pull checks whether it has reached its end or has stalled. */
const CHECK_MS = 500;
/** The time that a consumer has to leave its group. */
const LEAVE_MS = 30_000;

/** Connects nothing yet. */
export function openKafkaGatewayTopic(options: KafkaGatewayTopicOptions): GatewayTopic {
  const kafka = createKafka(options);
  const admin = createAdminClient({ kafka });
  const context: ReadingContext = { options, kafka, offsets: createOffsetReader(admin) };
  return {
    read: async (reading) => {
      try {
        await readTopic(context, reading);
      } catch (error) {
        const isOfBrokers = error instanceof KafkaFailure;
        throw isOfBrokers ? toPipelineError(error, `topic ${options.topic} cannot be read`) : error;
      }
    },
    close: () => admin.close(),
  };
}

interface ReadingContext {
  readonly options: KafkaGatewayTopicOptions;
  readonly kafka: Kafka;
  readonly offsets: OffsetReader;
}

async function readTopic(context: ReadingContext, reading: ReadTopicOptions): Promise<void> {
  const { topic, groupId } = context.options;
  const [ranges, commits] = await Promise.all([
    context.offsets.fetchRanges(topic),
    context.offsets.fetchCommits(groupId, topic),
  ]);
  // Compared before the consumer joins: it moves a group that is behind the log's beginning and does not report it.
  for (const [partition, from] of commits) {
    const { low } = ranges.get(partition) ?? { low: 0n };
    if (low > from) reading.onGap({ partition, from, to: low });
  }
  const progress = new GroupProgress(ranges, commits);
  if (reading.signal.aborted || (reading.once && progress.isComplete())) return;
  await new TopicReading(context, reading, progress).run();
}

/** One call of `GatewayTopic.read`, from joining the group to leaving it. */
class TopicReading {
  readonly #context: ReadingContext;
  readonly #reading: ReadTopicOptions;
  readonly #progress: GroupProgress;
  readonly #session: ConsumerSession;
  /** Settles `run`. Set by `run`, called by `#end`. */
  #settle: (failure?: unknown) => void = () => undefined;
  /** Set by `#end`: no batch is taken any more. */
  #hasEnded = false;
  /** Whether commits are being asked for. Owned by `#check`. */
  #isChecking = false;

  constructor(context: ReadingContext, reading: ReadTopicOptions, progress: GroupProgress) {
    const { topic, groupId, sessionTimeoutMs = SESSION_TIMEOUT_MS } = context.options;
    this.#context = context;
    this.#reading = reading;
    this.#progress = progress;
    this.#session = new ConsumerSession(
      context.kafka,
      { topic, groupId, sessionTimeoutMs, concurrency: 1 },
      {
        onJoined: () => progress.forgetOwn(),
        onEnded: (failure) => this.#end(failure),
        onBatch: (batch) => this.#take(batch),
        onBatchEnd: ({ partition, batchSize, lastOffset }) => {
          // Where the log holds only markers of transactions, no batch is handed on and nothing is committed.
          if (batchSize === 0) progress.advance(partition, BigInt(lastOffset) + 1n);
          if (reading.once && progress.isComplete()) this.#end();
        },
      },
    );
  }

  async run(): Promise<void> {
    const { signal } = this.#reading;
    const ended = new Promise<void>((resolve, reject) => {
      this.#settle = (failure) => {
        if (failure === undefined) resolve();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the error of onBatch, of any type
        else reject(failure);
      };
    });
    const fail = (failure: unknown): void => this.#end(failure);
    const onAbort = (): void => this.#end();
    const checks = setInterval(() => void this.#check().catch(fail), CHECK_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#session.start().catch(fail);
    try {
      await ended;
    } finally {
      clearInterval(checks);
      signal.removeEventListener('abort', onAbort);
      // The batch in hand is waited for in here.
      await this.#session.leave(LEAVE_MS);
    }
  }

  #end(failure?: unknown): void {
    this.#hasEnded = true;
    this.#settle(failure);
  }

  /** The messages that another member of the group has read are seen from its commits alone. */
  async #check(): Promise<void> {
    const { topic, groupId, stalledAfterMs = STALLED_AFTER_MS } = this.#context.options;
    if (this.#session.silentMs > stalledAfterMs) {
      throw new PipelineError('LOG_UNAVAILABLE', 'consumer group: the consumer hangs');
    }
    if (!this.#reading.once || this.#isChecking) return;
    this.#isChecking = true;
    this.#progress.learn(await this.#context.offsets.fetchCommits(groupId, topic));
    this.#isChecking = false;
    if (this.#progress.isComplete()) this.#end();
  }

  async #take(batch: FetchedBatch): Promise<void> {
    if (this.#hasEnded) return;
    try {
      if (!(await this.#deliver(batch))) this.#end();
    } catch (error) {
      this.#end(error);
    }
  }

  /** Hands a batch on, and moves the group behind it. Resolves whether to go on. */
  async #deliver(batch: FetchedBatch): Promise<boolean> {
    const { partition, messages, next } = batch;
    await this.#reportGap(batch);
    const values = messages.map(({ offset, value }) => ({ offset, value }));
    if (!(await this.#reading.onBatch({ partition, messages: values, next }))) return false;
    // Where the partition is no longer held, the session joins again and the group reads the batch once more.
    if (await batch.commit(next)) this.#progress.advance(partition, next);
    return true;
  }

  async #reportGap({ partition, messages, next }: FetchedBatch): Promise<void> {
    const expected = this.#progress.ownNext(partition);
    const first = messages[0]?.offset ?? next - 1n;
    if (expected === undefined || first <= expected) return;
    // Compaction and markers of transactions leave holes too; only messages before the log's beginning are lost.
    const ranges = await this.#context.offsets.fetchRanges(this.#context.options.topic);
    const { low } = ranges.get(partition) ?? { low: 0n };
    if (low > expected) this.#reading.onGap({ partition, from: expected, to: low });
  }
}
