import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import type { QuarantineReason } from '../../schemas/quarantine.ts';
import type { Content, StatedFacts, RecordSource } from '../../schemas/record.ts';
import type { ItemPlace, UnitProblem } from '../wire/body.ts';
import type { OtlpSignal } from '../wire/otlp/descriptor.ts';
import type { Holder, UnitSequence } from '../wire/pieces.ts';
import type { WebhookProof } from '../wire/webhook-proof.ts';
import type { Answer } from './answers.ts';

/** Folders that a source states beside an event. By them `ingest/sealed-path.ts` finds the sealed form of a path. */
export interface StatedFolders {
  /** The folder in which the session works at this moment. */
  readonly working?: string | undefined;
  /** The file that holds the session's transcript. */
  readonly transcript?: string | undefined;
}

/** A record as a source yields it, before ids, surrogates and retention are added by `ingest/normalise.ts`. */
export interface DraftRecord {
  readonly type: string;
  readonly source: RecordSource;
  /**
   * Identifies the event when it is delivered again: the same in every grouping and encoding, with the parts in
   * order. Ends with the digest of the item's own canonical bytes.
   */
  readonly natural_key: readonly string[];
  /** Claimed person, from the source's own attributes; becomes the subject surrogate. */
  readonly claimed_subject: string | null;
  /** Paths are as the source wrote them; the normaliser seals them. */
  readonly facts: StatedFacts;
  readonly folders?: StatedFolders;
  readonly content: Content | null;
}

/** An item that cannot be sealed as what it claims to be; it is kept as a record of type `quarantined`. */
export interface QuarantinedItem {
  readonly reason: QuarantineReason;
  /** JSON pointer into the body, '' for the whole. */
  readonly pointer: string;
  /** The item's own bytes, or those of the whole body if the item cannot be cut out. */
  readonly bytes: Uint8Array;
}

export type Expanded =
  | {
      readonly kind: 'draft';
      readonly draft: DraftRecord;
      /**
       * The item that the draft was made of; the same function for all drafts of one item. If one of these drafts cannot
       * be sealed, this item alone is quarantined. Absent if the item is the whole body.
       */
      readonly place?: () => ItemPlace;
    }
  | { readonly kind: 'quarantined'; readonly item: QuarantinedItem };

/** One item of a body: how many records it becomes, all of one session. */
export interface BodyItem {
  readonly recordCount: number;
  /** Undefined or '' if the item belongs to no session, as an unsound item does. */
  readonly session: string | undefined;
}

/** A body as a receiver has read it, once: counts, answer, split key and pieces all come from this. */
export interface ReadBody {
  /** Items as their sender counts them, unsound ones among them. */
  readonly itemCount: number;
  /** Records that `expand` makes of the same body, quarantined ones among them. */
  readonly recordCount: number;
  /** Items and groups that will be sealed as quarantined, in the order of the body. */
  readonly problems: readonly UnitProblem[];
  /** In the order of the body; an unsound item counts as one record. Computed on request. */
  readonly items: () => readonly BodyItem[];
  /** The bytes of the same items; undefined if the body cannot be divided. */
  readonly cut: (units: UnitSequence) => Holder | undefined;
}

type ContentType = EnvelopeHeader['content_type'];

/**
 * An outside system, declared once: its route, its senders and its bodies. Routes, counters, the split key, quarantine
 * pointers and the table in docs/sources.md follow from this value. Pure: no I/O, no clock, no randomness.
 */
export interface Source<Name extends string = string> {
  /** Appears in each envelope, in quarantined records and in counters, so it never changes. */
  readonly name: Name;
  /** The system and its kind of message, for people. */
  readonly title: string;
  readonly route: string;
  readonly contentTypes: readonly ContentType[];
  /** A body of any other content type is read as this one. */
  readonly otherTypes?: ContentType | undefined;
  /** How a sender proves itself: with a collector's bearer token, or over the body with a secret of the platform. */
  readonly proof: 'bearer' | WebhookProof;
  /** The OTLP signal of the route: failures are then google.rpc.Status, and the route is offered over gRPC too. */
  readonly otlp?: OtlpSignal;
  /** The answer to a body that is kept. */
  readonly answer: Answer;
  /**
   * Reads a received body, once. The envelope's `item_count` is not set yet. Throws BODY_MALFORMED for a body that
   * must not be kept; every other body is accepted.
   */
  read(envelope: Envelope): ReadBody;
  /**
   * The drafts of an envelope from the event log. The same envelope yields the same drafts. Unknown events and
   * members are kept, never dropped: an event under a type such as `event.observed`, a member under
   * `content.extensions`. Throws nothing for a body that a receiver accepted.
   */
  expand(envelope: Envelope): Expanded[];
}

/** A value with the literal type of its name, so that the list of sources knows all names. */
export function defineSource<const Name extends string>(source: Source<Name>): Source<Name> {
  return source;
}
