/**
 * One consumer of kafkajs, from joining its group to leaving it.
 *
 * Defects of kafkajs:
 * - It can end a consumer for good, or wait without end for an answer that was lost with its connection. So the session
 *   measures the time since the consumer last did anything, and its owner gives up one that is silent for too long.
 * - It sends no heartbeat while a batch is in hand. So the session sends them.
 * - It joins the group again only for an error that `eachBatch` throws. So an answer that ends the claim is kept until
 *   the batch is done and thrown then.
 * - It fetches again only when all batches of a fetch are done, so a slow batch would hold up all partitions of its broker.
 *   So the session lets go of a batch that takes long: kafkajs takes it for done, and its partition is paused until it is.
 * - An abandoned consumer can begin to work again. So its events and batches are ignored.
 */
import {
  type Consumer,
  type ConsumerConfig,
  type ConsumerEndBatchProcessEvent,
  type ConsumerGroupJoinEvent,
  type EachBatchPayload,
  type Kafka,
} from 'kafkajs';
import type { PipelineError } from '../../../schemas/errors.ts';
import type { FetchedBatch } from '../client.ts';
import { withDeadline, type KafkaFailure } from '../errors.ts';
import { RETRY } from './connect.ts';
import { endsClaim, orFailure, toFailure } from './errors.ts';

export interface SessionOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  /** How many partitions may have a batch in hand at the same time. */
  readonly concurrency: number;
  /** Further settings of the consumer. */
  readonly consumer?: Partial<ConsumerConfig>;
}

/** Called by the session until it is abandoned or left. */
export interface SessionEvents {
  onJoined(joined: ConsumerGroupJoinEvent['payload']): void;
  /** The consumer ended by itself and will not join again. */
  onEnded(failure: KafkaFailure | PipelineError): void;
  onBatch(batch: FetchedBatch): Promise<void>;
  /** Whether anything else waits for this partition. Where left out, nothing does, and no batch is let go. */
  holdsUpOthers?(partition: number): boolean;
  /** A batch that was let go is done: the partition is paused and waits for `fetchFrom`. */
  onFree?(partition: number): void;
  /** After each batch, and after a fetched part of the log that holds no message. */
  onBatchEnd?(ended: ConsumerEndBatchProcessEvent['payload']): void;
}

/** How often a member of the group reports to the brokers between batches. */
const HEARTBEAT_MS = 2_000;
/** How often a member of the group reports to the brokers while it works on a batch. */
const HEARTBEAT_IN_BATCH_MS = 1_000;
/** A batch that takes longer holds up the other partitions no more. */
const LET_GO_AFTER_MS = 2_000;
/** How long the brokers may hold back a fetch that finds nothing new. */
const FETCH_WAIT_MS = 500;

export class ConsumerSession {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #consumer: Consumer;
  /** When the consumer last sent a request, or crashed and began again; of `performance.now`. Set by `#listen`. */
  #aliveAtMs = performance.now();
  /** The group's name for this member. Set at each join. */
  #memberId: string | undefined;
  /** Batches that are still in hand and that kafkajs takes for done, by partition. */
  readonly #letGo = new Map<number, LetGo>();
  /** False once the session was abandoned or left, or the consumer has ended. */
  #isHeard = true;

  constructor(kafka: Pick<Kafka, 'consumer'>, options: SessionOptions, events: SessionEvents) {
    const { groupId, sessionTimeoutMs, consumer } = options;
    this.#options = options;
    this.#events = events;
    this.#consumer = kafka.consumer({
      maxWaitTimeInMs: FETCH_WAIT_MS,
      ...consumer,
      groupId,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: Math.min(HEARTBEAT_MS, sessionTimeoutMs / 3),
      allowAutoTopicCreation: false,
      retry: RETRY,
    });
    this.#listen();
  }

  /** Time since the consumer last did anything. */
  get silentMs(): number {
    return performance.now() - this.#aliveAtMs;
  }

  /** Resolves when the consumer has joined the group, or has begun to recover from a join that failed. */
  async start(): Promise<void> {
    const { topic, concurrency } = this.#options;
    await orFailure(this.#consumer.connect());
    await orFailure(this.#consumer.subscribe({ topics: [topic], fromBeginning: true }));
    const running = this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrency,
      eachBatch: (payload) => this.#take(payload),
    });
    await orFailure(running);
  }

  /** Fetches the partition from `next` on; not while a batch of it is in hand, after which `onFree` asks again. */
  fetchFrom(partition: number, next: bigint): void {
    if (this.#letGo.has(partition)) return;
    const { topic } = this.#options;
    this.#consumer.seek({ topic, partition, offset: String(next) });
    this.#consumer.resume([{ topic, partitions: [partition] }]);
  }

  pause(partition: number): void {
    this.#consumer.pause([{ topic: this.#options.topic, partitions: [partition] }]);
  }

  async commit(partition: number, next: bigint): Promise<void> {
    const { topic } = this.#options;
    await orFailure(this.#consumer.commitOffsets([{ topic, partition, offset: String(next) }]));
  }

  /** Waits for the batch in hand, but no longer than `deadlineMs`. */
  async leave(deadlineMs: number): Promise<void> {
    const batches = Promise.all([...this.#letGo.values()].map(({ handled }) => handled));
    const left = batches.then(() => this.#consumer.disconnect());
    await withDeadline(left, deadlineMs, 'consumer group').catch(() => undefined);
    this.#isHeard = false;
  }

  /** Ends the consumer without waiting for it. */
  abandon(): void {
    this.#isHeard = false;
    this.#consumer.disconnect().catch(() => undefined);
  }

  #listen(): void {
    const { REQUEST, CRASH, GROUP_JOIN, END_BATCH_PROCESS } = this.#consumer.events;
    this.#consumer.on(REQUEST, () => {
      this.#aliveAtMs = performance.now();
    });
    this.#consumer.on(GROUP_JOIN, ({ payload }) => {
      this.#endLetGo(payload);
      if (this.#isHeard) this.#events.onJoined(payload);
    });
    this.#consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      if (this.#isHeard) this.#events.onBatchEnd?.(payload);
    });
    this.#consumer.on(CRASH, ({ payload }) => {
      this.#aliveAtMs = performance.now();
      if (payload.restart || !this.#isHeard) return;
      this.#isHeard = false;
      this.#events.onEnded(toFailure(payload.error));
    });
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    // A batch that was fetched before its partition was sought elsewhere is stale.
    const { partition } = payload.batch;
    if (!this.#isHeard || !payload.isRunning() || payload.isStale() || this.#letGo.has(partition)) return;
    const claim = new Claim(payload, this.#options.topic);
    const handled = this.#events.onBatch(claim.toBatch()).finally(() => claim.stop());
    if (await isDoneSoon(handled, () => this.#events.holdsUpOthers?.(partition) ?? false)) {
      if (claim.end !== undefined) throw claim.end;
      return;
    }
    this.pause(partition);
    const freed = handled
      .catch(() => undefined)
      .then(() => {
        this.#letGo.delete(partition);
        if (this.#isHeard) this.#events.onFree?.(partition);
      });
    this.#letGo.set(partition, { claim, handled: freed });
  }

  /** kafkajs joins again without waiting for what was let go, and the group may give its partition to another process. */
  #endLetGo({ memberId, memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    const assigned = memberAssignment[this.#options.topic] ?? [];
    for (const [partition, { claim }] of this.#letGo) {
      if (memberId !== this.#memberId || !assigned.includes(partition)) claim.lose();
    }
    this.#memberId = memberId;
  }
}

interface LetGo {
  readonly claim: Claim;
  /** Never rejects. */
  readonly handled: Promise<void>;
}

/** Resolves false where the work takes long and something else waits for it. Rejects as the work does. */
async function isDoneSoon(work: Promise<void>, holdsUpOthers: () => boolean): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<'overdue'>((resolve) => {
    timer = setTimeout(() => resolve('overdue'), LET_GO_AFTER_MS);
  });
  const first = await Promise.race([work, overdue]).finally(() => clearTimeout(timer));
  if (first === 'overdue' && holdsUpOthers()) return false;
  await work;
  return true;
}

/** The claim on a partition while a batch of it is in hand: kept by heartbeats, and possibly ended by the brokers. */
class Claim {
  readonly #payload: EachBatchPayload;
  readonly #topic: string;
  readonly #heartbeats: NodeJS.Timeout;
  /** The answer of the brokers that ended the claim. */
  #end: Error | undefined;
  /** Set by `lose`. */
  #isLost = false;

  constructor(payload: EachBatchPayload, topic: string) {
    this.#payload = payload;
    this.#topic = topic;
    this.#heartbeats = setInterval(() => this.#beat(), HEARTBEAT_IN_BATCH_MS);
  }

  get end(): Error | undefined {
    return this.#end;
  }

  stop(): void {
    clearInterval(this.#heartbeats);
  }

  /** The partition may be with another process. */
  lose(): void {
    this.#isLost = true;
  }

  toBatch(): FetchedBatch {
    const payload = this.#payload;
    const { batch } = payload;
    return {
      partition: batch.partition,
      messages: batch.messages.map(({ offset, key, value }) => ({ offset: BigInt(offset), key, value })),
      next: BigInt(batch.lastOffset()) + 1n,
      isHeld: () => this.#end === undefined && !this.#isLost && payload.isRunning(),
      commit: (next) => this.#commit(next),
    };
  }

  async #commit(next: bigint): Promise<boolean> {
    if (this.#isLost) return false;
    const payload = this.#payload;
    payload.resolveOffset(String(next - 1n));
    const partitions = [{ partition: payload.batch.partition, offset: String(next) }];
    try {
      await payload.commitOffsetsIfNecessary({ topics: [{ topic: this.#topic, partitions }] });
      return true;
    } catch (error) {
      if (!endsClaim(error)) throw toFailure(error);
      this.#end = error;
      return false;
    }
  }

  #beat(): void {
    if (this.#end !== undefined) return;
    this.#payload.heartbeat().catch((error: unknown) => {
      if (endsClaim(error)) this.#end = error;
    });
  }
}
