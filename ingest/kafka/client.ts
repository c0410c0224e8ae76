/**
 * The interface between the event log and a client library for Kafka. All code that knows the library lies behind it.
 * Its members reject with `KafkaFailure` where the brokers or the library fail, and with LOG_UNAVAILABLE where no answer
 * comes within a deadline.
 */
import type { Logger } from 'pino';
import type { PipelineError } from '../../schemas/errors.ts';

export interface KafkaClient {
  readonly topics: TopicAdmin;
  readonly offsets: OffsetReader;
  readonly messages: MessageReader;
  openWriter(options: WriterOptions): RequestWriter;
  openMembership(options: MembershipOptions): Membership;
  /** Ends the connections of `topics`, `offsets` and `messages`. Writers and memberships are closed by their owners. */
  close(): Promise<void>;
}

/** One setting of a topic by name. */
export interface TopicSetting {
  readonly name: string;
  readonly value: string;
}

export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: readonly TopicSetting[];
}

export interface TopicDescription {
  readonly partitions: number;
  /** Replicas of the partition that has the fewest. */
  readonly replicationFactor: number;
  readonly settings: ReadonlyMap<string, string>;
}

export interface TopicAdmin {
  /** Names of all topics. Never makes a broker create a topic. */
  list(): Promise<ReadonlySet<string>>;
  /** Resolves when the topics have leaders. */
  create(topics: readonly NewTopic[]): Promise<void>;
  describe(topic: string, settingNames: readonly string[]): Promise<TopicDescription>;
  /** Id that the brokers gave the topic when it was created. Undefined where they give none. */
  idOf(topic: string): Promise<string | undefined>;
}

/** Offsets of one partition. */
export interface OffsetRange {
  /** First offset that the log still holds. */
  readonly low: bigint;
  /** Offset after the last message. */
  readonly high: bigint;
}

export interface OffsetReader {
  /** The range of each partition. */
  fetchRanges(topic: string): Promise<ReadonlyMap<number, OffsetRange>>;
  /** The offset that the group has committed, for each partition in which it has committed one. */
  fetchCommits(groupId: string, topic: string): Promise<ReadonlyMap<number, bigint>>;
}

/** One message on its way to a partition. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of key and value. */
  readonly bytes: number;
}

/** The messages of one request that went to one partition. */
export interface WrittenMessages {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the first of them. */
  readonly firstOffset: bigint;
}

export interface WriterOptions {
  readonly compression: 'gzip' | 'none';
  /** A caller is refused after this time; the writer gives its request up some time later. */
  readonly deadlineMs: number;
}

/** Writes one request at a time; the caller waits for each before it begins the next. */
export interface RequestWriter {
  /**
   * Resolves when all in-sync replicas have the messages, in order per partition. After a rejection the brokers may
   * have kept some of them. They never take a later message for a repetition of a failed one.
   */
  write(messages: readonly OutgoingMessage[]): Promise<readonly WrittenMessages[]>;
  close(): Promise<void>;
}

export interface FetchedMessage {
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface MessagePlace {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
}

export interface MessageReader {
  /**
   * The first messages from an offset on, as few as one request can bring; none where the offset is the end. Takes no
   * part in a group.
   */
  readFrom(place: MessagePlace): Promise<readonly FetchedMessage[]>;
}

/** Messages of one partition in order of offset, and the acts that are open while they are in hand. */
export interface FetchedBatch {
  readonly partition: number;
  /** May be empty where the log holds only markers of transactions. */
  readonly messages: readonly FetchedMessage[];
  /** Offset after everything that was fetched. */
  readonly next: bigint;
  /** Whether this process still holds the partition, as far as it knows. */
  isHeld(): boolean;
  /** Reports to the group that everything before `next` is done. Resolves false where the partition is no longer held. */
  commit(next: bigint): Promise<boolean>;
}

/** Reads one partition for as long as it is attached to a membership. */
export interface PartitionReader {
  /** The offset to fetch from. */
  next(): bigint;
  /**
   * The partition cannot move to another process before this resolves. A library may except batches that take long, so
   * that other partitions need not wait for them; `isHeld` and `commit` then say that it has moved.
   */
  take(batch: FetchedBatch): Promise<void>;
  /** Called once, when the partition was given to another process or may have been for a while. */
  lose(reason: PipelineError): void;
}

export interface Assignment {
  /** Partitions that this process has. */
  readonly assigned: ReadonlySet<number>;
  /** Partitions that another process may have had meanwhile, although they may be assigned again. */
  readonly lost: ReadonlySet<number>;
}

/** Keeps the membership for as long as one of its users needs it. */
export interface Hold {
  /** Resolves when the group was joined. */
  readonly joined: Promise<void>;
  readonly release: () => void;
}

/**
 * Bytes, as the brokers keep them, that are fetched without a linger. Below the bound of one partition in one fetch, so
 * that a backlog of one partition alone reaches it.
 */
export const FULL_FETCH_BYTES = 1024 * 1024;

export interface MembershipOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly partitions: number;
  /** How long the brokers wait for a sign of life of this process. */
  readonly sessionTimeoutMs: number;
  /** How long the others wait for the batch that this process has in hand. */
  readonly rebalanceTimeoutMs: number;
  /** How long the brokers hold back messages that together have less than `FULL_FETCH_BYTES`; 0 holds back none. */
  readonly lingerMs: number;
  readonly logger: Logger;
}

/** This process as a member of a consumer group: the partitions that it has, and fetching from them. */
export interface Membership {
  /** Joins the group unless it was joined. The group is left a while after the last hold was released. */
  hold(): Hold;
  /** Fetches for the reader whenever its partition is assigned to this process. The result ends that. */
  attach(partition: number, reader: PartitionReader): () => void;
  /** Commits an offset outside a batch. */
  commit(partition: number, next: bigint): Promise<void>;
  /** Calls the listener at once with the present assignment, and at every change. The result ends that. */
  watch(listener: (assignment: Assignment) => void): () => void;
  /** Waits for the batch in hand. */
  close(): Promise<void>;
}
