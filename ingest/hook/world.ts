/** Shapes that the parts of the hook client share. */

/** The parts of its process that the client uses. */
export interface HookWorld {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadStream;
  readonly print: (text: string) => void;
  /** Prints a line for people; it holds codes and counts, never text that was read. */
  readonly note: (text: string) => void;
  readonly now: () => number;
  /** Time since the process started, which the agent has waited already. */
  readonly elapsedMs: () => number;
  readonly newId: () => string;
  /** Aborted when the process is asked to end: the event read so far is kept, nothing more is sent. */
  readonly stop: AbortSignal;
}

/**
 * Why an event is lost, as reported to the collector: spool_full, spool_unusable, too_large, incomplete, refused_400 …
 */
export type LossReason = string;

/** A hook event as the agent wrote it, or a native record of this client. */
export type EntryKind = 'event' | 'native';

/** A number of one run of a collector, from 1. */
export interface Numbered {
  readonly boot_id: string;
  readonly sequence: number;
}

export interface Entry {
  /**
   * Time, counter, process, random part, size, number and kind: sorts in the order of sending, holds all but the body.
   */
  readonly name: string;
  readonly bytes: number;
  readonly kind: EntryKind;
  /** undefined if the client could not get a number, or an older client wrote the entry. */
  readonly numbered: Numbered | undefined;
}

export interface Bounds {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** Losses not yet reported to the collector. Replaced as a whole, so that each loss is reported exactly once. */
export interface LossState {
  /** Per reason, how many losses of its file were taken into a report. */
  readonly reported: Readonly<Record<string, number>>;
  /** The report in hand, sent with the same bytes until it is acknowledged. */
  readonly pending: string | null;
}

/** One body that a call delivers. */
export interface Outgoing {
  readonly body: Buffer;
  readonly kind: EntryKind;
  readonly numbered: Numbered | undefined;
}
