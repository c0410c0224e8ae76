import type { Envelope } from '../schemas/envelope.ts';

/** An envelope with its place in a partition. Offsets rise strictly; they may skip. */
export interface LoggedEnvelope {
  readonly offset: bigint;
  readonly envelope: Envelope;
}

export interface ConsumeOptions {
  readonly partition: number;
  /** First offset to deliver: the ledger's own next offset, which alone decides what was sealed. */
  readonly from: bigint;
  readonly maxEnvelopes: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/**
 * PORT: the durable queue between receivers and the sequencer.
 *
 * - `append` resolves only when all envelopes are on stable storage, in order; it rejects with LOG_PUSHBACK when the
 *   backlog limit is hit, with COLLECTOR_PUSHBACK when one collector's share of it is, and with LOG_UNAVAILABLE when
 *   the medium fails. After a rejection nothing was acknowledged, though some envelopes may have been kept; the
 *   sequencer recognises a resend.
 * - `consume` delivers batches in offset order, at least once. A batch is acknowledged, and may be discarded, exactly
 *   when `onBatch` resolves. If `onBatch` rejects, `consume` rejects with the same error and acknowledges nothing.
 *   It resolves when the signal is aborted, after the batch in hand.
 * - `lag` counts what was appended and not yet acknowledged.
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
