import type { Envelope } from '../../schemas/envelope.ts';
import type { QuarantineReason } from '../../schemas/quarantine.ts';
import type { Content, Facts, RecordSource } from '../../schemas/record.ts';

/** A record as a connector yields it, before ids, surrogates and retention are added by `ingest/normalise.ts`. */
export interface DraftRecord {
  readonly type: string;
  readonly source: RecordSource;
  /**
   * What makes this event the same event when it is delivered again: stable across groupings and encodings, in
   * order. Ends with the digest of the item's own canonical bytes.
   */
  readonly natural_key: readonly string[];
  /** Claimed person, from the source's own attributes; becomes the subject surrogate. */
  readonly claimed_subject: string | null;
  readonly facts: Facts;
  readonly content: Content | null;
}

/** An item that cannot be sealed as what it claims to be; it is kept as a record of type `quarantined`. */
export interface QuarantinedItem {
  readonly reason: QuarantineReason;
  /** JSON pointer into the body, '' for the whole. */
  readonly pointer: string;
  /** The item's own bytes; of the whole body where the item cannot be cut out. */
  readonly bytes: Uint8Array;
}

export type Expanded =
  | { readonly kind: 'draft'; readonly draft: DraftRecord }
  | { readonly kind: 'quarantined'; readonly item: QuarantinedItem };

/** What one object of a body becomes: how many records, all of one session. */
export interface ItemUnit {
  readonly recordCount: number;
  readonly session: string | undefined;
}

/**
 * One outside system's events as drafts. Pure: no I/O, no clock, no randomness; the same envelope yields the same
 * drafts. Unknown events and members are kept, never dropped: an event under a type of its own or `event.observed`,
 * a member under `content.extensions`. Throws nothing for any body that a receiver let through.
 */
export interface SourceConnector {
  readonly name: string;
  expand(envelope: Envelope): Expanded[];
}
