/**
 * Membership of a consumer group with kafkajs. Partitions without a reader are paused. A partition is fetched from where
 * its reader says, whatever offset the group has committed.
 *
 * Defect of kafkajs: a consumer can end for good or hang, and reports neither to its user. So the membership checks its
 * consumer every second while it has holds. The partitions of a consumer that ended or hangs are lost, and another
 * consumer joins.
 */
import kafkajs, { type ConsumerGroupJoinEvent, type Kafka } from 'kafkajs';
import { PipelineError } from '../../../schemas/errors.ts';
import {
  FULL_FETCH_BYTES,
  type Assignment,
  type Hold,
  type Membership,
  type MembershipOptions,
  type PartitionReader,
} from '../client.ts';
import { toPipelineError, withDeadline } from '../errors.ts';
import { ConsumerSession } from './consumer-session.ts';

export interface KafkajsMembershipOptions extends MembershipOptions {
  /** How long a consumer may do nothing. @default longer than a join that waits for all other members */
  readonly stalledAfterMs?: number;
}

type Listener = (assignment: Assignment) => void;

/** How long a member without work stays in the group, so that a quick return costs no rebalance. */
const LINGER_MS = 3_000;
/** How often a member is checked for signs of life. */
const CHECK_MS = 1_000;
/** Time beyond session and rebalance after which a silent member is replaced. */
const REQUEST_MARGIN_MS = 30_000;
/** The most bytes that one fetch may bring. */
const FETCH_MAX_BYTES = 8 * 1024 * 1024;
/** The most bytes that one fetch may bring of one partition. */
const FETCH_MAX_PARTITION_BYTES = 2 * 1024 * 1024;
const NO_PARTITIONS: ReadonlySet<number> = new Set();

/** Joins nothing yet. */
export function createMembership(
  kafka: Pick<Kafka, 'consumer'>,
  options: KafkajsMembershipOptions,
): Membership {
  return new KafkajsMembership(kafka, options);
}

class KafkajsMembership implements Membership {
  readonly #kafka: Pick<Kafka, 'consumer'>;
  readonly #options: KafkajsMembershipOptions;
  readonly #stalledAfterMs: number;
  readonly #readers = new Map<number, PartitionReader>();
  readonly #listeners = new Set<Listener>();

  /** The consumer in use. Set by `#join`; cleared by `#forget`. */
  #session: ConsumerSession | undefined;
  /** The group's name for this member, and its partitions. Set by `#onJoined`; cleared by `#forget`. */
  #memberId: string | undefined;
  #assigned: ReadonlySet<number> = NO_PARTITIONS;

  /** How many holds are not released. Counted by `hold`. */
  #holds = 0;
  /** Leaves the group a while after the last release. Owned by `hold`. */
  #linger: NodeJS.Timeout | undefined;
  /** Runs `#check` while there are holds. Owned by `hold`. */
  #checks: NodeJS.Timeout | undefined;
  /** Joins and leaves follow each other. Owned by `#change`. */
  #lastChange: Promise<void> = Promise.resolve();
  #openChanges = 0;

  constructor(kafka: Pick<Kafka, 'consumer'>, options: KafkajsMembershipOptions) {
    const { sessionTimeoutMs, rebalanceTimeoutMs, stalledAfterMs } = options;
    this.#kafka = kafka;
    this.#options = options;
    this.#stalledAfterMs = stalledAfterMs ?? sessionTimeoutMs + rebalanceTimeoutMs + REQUEST_MARGIN_MS;
  }

  hold(): Hold {
    this.#holds += 1;
    clearTimeout(this.#linger);
    this.#checks ??= setInterval(() => this.#check(), CHECK_MS).unref();
    return { joined: this.#change(() => this.#join()), release: () => this.#release() };
  }

  attach(partition: number, reader: PartitionReader): () => void {
    this.#readers.set(partition, reader);
    if (this.#assigned.has(partition)) this.#steer(partition);
    return () => {
      if (this.#readers.get(partition) !== reader) return;
      this.#readers.delete(partition);
      if (this.#assigned.has(partition)) this.#steer(partition);
    };
  }

  async commit(partition: number, next: bigint): Promise<void> {
    if (this.#session === undefined) throw new PipelineError('LOG_UNAVAILABLE', 'consumer group: not joined');
    await this.#session.commit(partition, next);
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener({ assigned: this.#assigned, lost: NO_PARTITIONS });
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    clearTimeout(this.#linger);
    clearInterval(this.#checks);
    return this.#change(() => this.#leave());
  }

  #release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
    const leaveUnlessHeld = (): Promise<void> => (this.#holds === 0 ? this.#leave() : Promise.resolve());
    this.#linger = setTimeout(() => void this.#change(leaveUnlessHeld), LINGER_MS).unref();
  }

  #change(step: () => Promise<void>): Promise<void> {
    this.#openChanges += 1;
    const changed = this.#lastChange.then(step).finally(() => (this.#openChanges -= 1));
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }

  #check(): void {
    if (this.#openChanges > 0) return;
    if (this.#session !== undefined && this.#session.silentMs > this.#stalledAfterMs) {
      const stalledAfterMs = this.#stalledAfterMs;
      this.#options.logger.warn({ stalledAfterMs }, 'the Kafka consumer hangs, another joins the group');
      this.#abandon(new PipelineError('LOG_UNAVAILABLE', 'consumer group: the consumer hangs'));
    }
    if (this.#session !== undefined) return;
    const joinIfHeld = (): Promise<void> => (this.#holds > 0 ? this.#join() : Promise.resolve());
    this.#change(joinIfHeld).catch(() => undefined);
  }

  async #join(): Promise<void> {
    if (this.#session !== undefined) return;
    const session = this.#createSession();
    this.#session = session;
    try {
      await withDeadline(session.start(), this.#stalledAfterMs, 'consumer group');
    } catch (error) {
      const failure = toPipelineError(error, 'consumer group cannot be joined');
      this.#abandon(failure);
      throw failure;
    }
  }

  #createSession(): ConsumerSession {
    const { topic, groupId, sessionTimeoutMs, rebalanceTimeoutMs, partitions, lingerMs } = this.#options;
    const linger = lingerMs === 0 ? {} : { maxWaitTimeInMs: lingerMs, minBytes: FULL_FETCH_BYTES };
    const consumer = {
      ...linger,
      rebalanceTimeout: rebalanceTimeoutMs,
      maxBytes: FETCH_MAX_BYTES,
      maxBytesPerPartition: FETCH_MAX_PARTITION_BYTES,
      partitionAssigners: [kafkajs.PartitionAssigners.roundRobin],
    };
    return new ConsumerSession(
      this.#kafka,
      { topic, groupId, sessionTimeoutMs, concurrency: partitions, consumer },
      {
        onJoined: (joined) => this.#onJoined(joined),
        onEnded: (failure) => this.#forget(toPipelineError(failure, 'consumer group')),
        onBatch: async (batch) => this.#readers.get(batch.partition)?.take(batch),
        holdsUpOthers: (partition) =>
          [...this.#readers.keys()].some((other) => other !== partition && this.#assigned.has(other)),
        onFree: (partition) => {
          if (this.#assigned.has(partition)) this.#steer(partition);
        },
      },
    );
  }

  /** Waits for the batch in hand, which is committed. */
  async #leave(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await session.leave(this.#stalledAfterMs);
    if (this.#session === session) {
      this.#forget(new PipelineError('LOG_UNAVAILABLE', 'the consumer group was left'));
    }
  }

  #abandon(reason: PipelineError): void {
    this.#session?.abandon();
    this.#forget(reason);
  }

  #forget(reason: PipelineError): void {
    const lost = this.#assigned;
    this.#session = undefined;
    this.#memberId = undefined;
    this.#assigned = NO_PARTITIONS;
    for (const listener of this.#listeners) listener({ assigned: NO_PARTITIONS, lost });
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    for (const reader of readers) reader.lose(reason);
  }

  #onJoined({ memberId, memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    // A member that keeps its id took part in every change. The group gives a new id to one that it had put out.
    const wasAway = memberId !== this.#memberId;
    const assigned = new Set(memberAssignment[this.#options.topic] ?? []);
    const lost = new Set([...this.#assigned].filter((partition) => wasAway || !assigned.has(partition)));
    this.#memberId = memberId;
    this.#assigned = assigned;
    this.#options.logger.info({ partitions: [...assigned], lost: [...lost] }, 'partitions assigned');
    for (const listener of this.#listeners) listener({ assigned, lost });
    for (const partition of lost) {
      const reader = this.#readers.get(partition);
      this.#readers.delete(partition);
      reader?.lose(
        new PipelineError('LOG_UNAVAILABLE', `partition ${partition} may have been with another process`),
      );
    }
    for (const partition of assigned) this.#steer(partition);
  }

  /** Has the consumer fetch for the partition's reader, or pause where there is none. */
  #steer(partition: number): void {
    const reader = this.#readers.get(partition);
    if (reader === undefined) this.#session?.pause(partition);
    else this.#session?.fetchFrom(partition, reader.next());
  }
}
