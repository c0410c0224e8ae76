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

export interface Entry {
  /** Time, counter, process, random part and size: sorts in the order of sending and tells all but the body. */
  readonly name: string;
  readonly bytes: number;
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
