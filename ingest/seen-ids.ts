/**
 * PORT: the record ids that the log holds already, so that a repeated delivery in any grouping is recognised.
 *
 * It is a projection of the log, as the record store is: it knows the ids of the leaves below `size`, and the sequencer
 * adds the missing ones from the archive. `add` is durable on return, idempotent, and raises `size` in the same
 * transaction.
 */
export interface SeenIds {
  has(ids: readonly string[]): Promise<ReadonlySet<string>>;
  add(ids: readonly string[], size: number): Promise<void>;
  size(): Promise<number>;
  clear(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
