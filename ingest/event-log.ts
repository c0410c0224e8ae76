import type { Envelope } from '../schemas/envelope.ts';

/** An envelope with its offset in a partition. Offsets rise strictly; they may skip. */
export interface LoggedEnvelope {
  readonly offset: bigint;
  readonly envelope: Envelope;
}

export interface ConsumeOptions {
  readonly partition: number;
  /** First offset to deliver: the ledger's next offset, which alone decides which envelopes were sealed. */
  readonly from: bigint;
  readonly maxEnvelopes: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/**
 * PORT: the durable queue between receivers and the sequencer.
 *
 * - `append` resolves only when all envelopes are on stable storage, in order. It rejects with LOG_PUSHBACK where the
 *   backlog limit is reached, with COLLECTOR_PUSHBACK where one collector's share is, and with LOG_UNAVAILABLE where the
 *   medium fails. A rejected append is not acknowledged, though some envelopes may have been kept; the sequencer
 *   recognises a resend.
 * - `consume` delivers batches in offset order, at least once. A batch is acknowledged, and may be discarded, exactly
 *   when `onBatch` resolves. If `onBatch` rejects, `consume` rejects with the same error and acknowledges nothing.
 *   It resolves when the signal is aborted, after the batch in hand.
 * - `lag` counts envelopes that were appended and not yet acknowledged.
 */
export interface EventLog {
  append(envelopes: readonly Envelope[]): Promise<void>;
  consume(
    options: ConsumeOptions,
    onBatch: (batch: readonly LoggedEnvelope[]) => Promise<void>,
  ): Promise<void>;
  lag(): Promise<{ readonly envelopes: number; readonly bytes: number }>;
  /** Idempotent; waits for appends in flight. */
  close(): Promise<void>;
}
