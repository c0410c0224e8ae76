/** Envelopes of one partition that the event log holds and no bundle does. */
export interface PartitionBacklog {
  readonly partition: number;
  readonly envelopes: number;
  /** When the first of them was received; undefined where it is not known. */
  readonly oldestReceivedAt?: string | undefined;
}

/** Envelopes that the event log holds and no bundle does. */
export interface KnownBacklog {
  readonly envelopes: number;
  /** When the oldest of them was received; undefined where it is not known. */
  readonly oldestReceivedAt?: string | undefined;
  /** Each partition that has a backlog, where several processes append to the event log. */
  readonly partitions?: readonly PartitionBacklog[] | undefined;
}

/** The backlog; `unknown` where the event log does not answer. */
export type Backlog = 'unknown' | KnownBacklog;

/** Asks the event log. Never rejects. */
export type ReadBacklog = () => Promise<Backlog>;
