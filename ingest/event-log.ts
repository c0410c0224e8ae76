import type { Envelope } from '../schemas/envelope.ts';

/** The place of an entry in the row of its writer; the writer's MAC proves it. Hex where it is bytes. */
export interface EntryMark {
  /** Random id of one opening of the log. */
  readonly writer: string;
  /** 1 for the first entry of the writer in this partition. */
  readonly number: number;
  /** The writer does not know whether the entries from here up to `number` were kept. No sender was answered for them. */
  readonly abandonedFrom: number;
  /** MAC of the entry with the number before. */
  readonly previousMac: string;
  readonly mac: string;
}

/** An envelope with its offset in a partition. Offsets rise strictly; they may skip. */
export interface LoggedEnvelope {
  readonly offset: bigint;
  readonly envelope: Envelope;
  /** Absent where the log was opened without a key, and in entries of an older version. */
  readonly mark?: EntryMark | undefined;
}

/** Entries of one partition in order, and the place behind them. */
export interface LoggedBatch {
  readonly envelopes: readonly LoggedEnvelope[];
  /**
   * Offsets of the entries that hold no envelope of a writer of this deployment: damaged or forged ones, and messages of
   * other programs. The adapter keeps their bytes durably elsewhere before it delivers the batch.
   */
  readonly deadLetters: readonly bigint[];
  /** Offset after the last entry of the batch. */
  readonly nextOffset: bigint;
}

export interface ConsumeOptions {
  readonly partition: number;
  /** First offset to deliver: the ledger's next offset, which alone decides which envelopes were sealed. */
  readonly from: bigint;
  readonly maxEnvelopes: number;
  readonly maxBytes: number;
  /**
   * Whether entries without a writer's number are delivered until the first that has one. Without a key they always are.
   * @default false
   */
  readonly mayBeUnnumbered?: boolean | undefined;
  /** Whether an entry is sealed, as of `from`. A log whose medium gives no id knows itself by the entries before `from`. */
  readonly isSealed?: ((mark: EntryMark) => boolean) | undefined;
  readonly signal: AbortSignal;
}

export interface Lag {
  readonly envelopes: number;
  readonly bytes: number;
  readonly oldestReceivedAt?: string | undefined;
  /** Each partition that has a backlog, in order. Left out where there is none, and by a log of one partition. */
  readonly partitions?: readonly PartitionLag[] | undefined;
}

export interface PartitionLag {
  readonly partition: number;
  readonly envelopes: number;
  readonly oldestReceivedAt?: string | undefined;
}

/**
 * PORT: the durable queue between receivers and the sequencer.
 *
 * - `id` names the log as it was opened: random, and never the name of another one. A log that was lost and created
 *   again has another id, so an offset means nothing without it. Where the medium gives no such name, as brokers without
 *   topic ids, it is the name that the operator accepted; then `settle` and `consume` reject with EVENT_LOG_REPLACED where
 *   the entries before `from` are not `isSealed`. Undefined where the medium gives no name at all.
 * - `settle` brings the log in line with the ledger and resolves to the offset at which reading goes on: `from`, or
 *   without it the first offset that the log holds, and then it changes nothing. It comes before the first append and the
 *   first consumer of the partition. It rejects with START_REFUSED where the log does not hold `from`. The embedded log
 *   also rejects where an entry from `from` on was acknowledged and removed already: then the ledger lacks bundles. An
 *   embedded log that is an older copy, or one that went on by itself and so holds entries before `from` that are not
 *   `isSealed`, numbers its entries from `from` on. Without `isSealed` offsets alone decide.
 * - `append` resolves only when all envelopes are on stable storage, in order. It rejects with LOG_PUSHBACK where the
 *   backlog limit is reached, with COLLECTOR_PUSHBACK where one collector's share is, with BODY_TOO_LARGE where even an
 *   empty log could not take the envelopes, and with LOG_UNAVAILABLE where the medium fails. A rejected append is not
 *   acknowledged, though some envelopes may have been kept; the sequencer recognises a resend.
 * - `consume` delivers batches in offset order, at least once, from the log named `id` alone: it rejects with
 *   EVENT_LOG_REPLACED where another log has its name now. A batch is acknowledged, and may be discarded, exactly
 *   when `onBatch` resolves. If `onBatch` rejects, `consume` rejects with the same error and acknowledges nothing.
 *   It resolves when the signal is aborted, after the batch in hand.
 * - A log that was opened with a linger holds back a batch that is not full. Such a batch is delivered once its oldest
 *   envelope has waited for the linger since the consumer could first read it, and sooner where the batch fills. An abort
 *   ends the wait at once; the envelopes held back stay unacknowledged. `append` never waits for it.
 * - A log that was opened with a key gives each entry the next number of its writer in its partition, and a MAC that binds
 *   it to this log. It delivers no entry as an envelope whose MAC does not fit. Whether numbers are missing is for the
 *   caller to judge, who knows those that were sealed.
 * - `lag` counts envelopes that were appended and not yet acknowledged. `oldestReceivedAt` says when the oldest of them was
 *   received. The embedded log gives the earliest time of receipt of all that wait. The log on Kafka gives, in each
 *   partition, the time of receipt of the first that waits, and over all partitions the earliest of these times: an envelope
 *   behind it may be older by as much as the clocks of receivers differ. Entries that hold no envelope are passed over. It
 *   is undefined where no envelope waits, where the medium does not answer in time, and on Kafka where the first envelope
 *   comes from a clock that was ahead.
 */
export interface EventLog {
  readonly id: string | undefined;
  settle(
    partition: number,
    from: bigint | undefined,
    isSealed?: (mark: EntryMark) => boolean,
  ): Promise<bigint>;
  append(envelopes: readonly Envelope[]): Promise<void>;
  consume(options: ConsumeOptions, onBatch: (batch: LoggedBatch) => Promise<void>): Promise<void>;
  lag(): Promise<Lag>;
  /** Idempotent; waits for appends in flight. */
  close(): Promise<void>;
}
