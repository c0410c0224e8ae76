/** A published checkpoint and the values that were signed. */
export interface PublishedCheckpoint {
  /** The whole signed note, text and signature lines. */
  readonly note: string;
  readonly tree_size: number;
  /** Hex. */
  readonly root_hash: string;
}

/** PORT: the public side of one log: its name, its key and its newest published head. */
export interface PublishedLog {
  /** Short name of the log in rows and keys, e.g. `p0`. */
  readonly log: string;
  readonly origin: string;
  readonly vkey: string;
  checkpoint(): Promise<PublishedCheckpoint | undefined>;
}
