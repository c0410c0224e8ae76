/** A topic that a gateway writes, as a collector reads it. */

export interface TopicMessage {
  readonly offset: bigint;
  /** Null where the writer deleted a key. */
  readonly value: Buffer | null;
}

/** Messages of one partition, in order; may be none where those before `next` are not for readers. */
export interface GatewayTopicBatch {
  readonly partition: number;
  readonly messages: readonly TopicMessage[];
  /** Where the partition goes on. */
  readonly next: bigint;
}

/** Messages that were removed before this group read them. */
export interface GatewayTopicGap {
  readonly partition: number;
  readonly from: bigint;
  /** The first that is still there. */
  readonly to: bigint;
}

export interface ReadTopicOptions {
  /** Ends once all that was there at the start is read, by this process or another of the group. */
  readonly once: boolean;
  readonly signal: AbortSignal;
  /**
   * Batches come one at a time, in order within a partition, at least once. The group's place moves behind a batch
   * exactly when this resolves true; with false, and after the signal, the reading ends where it is.
   */
  readonly onBatch: (batch: GatewayTopicBatch) => Promise<boolean>;
  /** Called before what comes behind the gap. */
  readonly onGap: (gap: GatewayTopicGap) => void;
}

export interface GatewayTopic {
  /**
   * Reads as a member of the group, from where the group has come, or from the first message that is there. Resolves
   * when it has ended. Rejects with what `onBatch` rejects with, and with LOG_UNAVAILABLE where the brokers do not
   * answer, have no such topic, or the client is stuck.
   */
  read(options: ReadTopicOptions): Promise<void>;
  close(): Promise<void>;
}
