/** Shapes that the parts of the hook client share. */

/** What the client takes from its process. */
export interface HookWorld {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadStream;
  readonly print: (text: string) => void;
  /** A line for people; holds codes and counts, never what was read. */
  readonly note: (text: string) => void;
  readonly now: () => number;
  /** Since the process started: what the agent has waited already. */
  readonly elapsedMs: () => number;
  readonly newId: () => string;
  /** Aborted when the process is asked to end: what was read is kept, nothing more is sent. */
  readonly stop: AbortSignal;
}

/** Why an event is gone, as the collector is told: spool_full, spool_unusable, too_large, incomplete, refused_400 … */
export type LossReason = string;

/** A hook event as the agent wrote it, or a record of our own. */
export type EntryKind = 'event' | 'native';

/** A number of one run of a collector, from 1. */
export interface Numbered {
  readonly boot_id: string;
  readonly sequence: number;
}

export interface Entry {
  /** Time, counter, process, random part, size, number and kind: sorts in the order of sending, tells all but the body. */
  readonly name: string;
  readonly bytes: number;
  readonly kind: EntryKind;
  /** undefined if there was none to be had, or an older client wrote it. */
  readonly numbered: Numbered | undefined;
}

export interface Bounds {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** What the spool owes the collector of its losses. Replaced as a whole, so that no loss is told twice or not at all. */
export interface LossState {
  /** Per reason, how much of its file was taken into a report. */
  readonly reported: Readonly<Record<string, number>>;
  /** The report in hand, sent with the same bytes until it is acknowledged. */
  readonly pending: string | null;
}

/** What one call has to deliver. */
export interface Outgoing {
  readonly body: Buffer;
  readonly kind: EntryKind;
  readonly numbered: Numbered | undefined;
}
