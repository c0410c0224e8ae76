/**
 * PORT: which record ids the log already holds, so that a repeated delivery in any grouping is recognised.
 *
 * It is a projection of the log, as the record store is: `size` tells up to which leaf index it knows the ids, and
 * whoever opens it feeds the missing ones from the archive. `add` is durable on return, idempotent, and moves `size`
 * in the same transaction.
 */
export interface SeenIds {
  has(ids: readonly string[]): Promise<ReadonlySet<string>>;
  add(ids: readonly string[], size: number): Promise<void>;
  size(): Promise<number>;
  clear(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
