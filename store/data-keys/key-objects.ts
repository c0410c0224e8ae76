/**
 * Why a key store is opened.
 *
 * - `begin`: its place is made where it is missing
 * - `use`: keys are read, made and removed, and remains of processes that died are removed
 * - `read`: keys are read, and nothing at all is written
 */
export type KeyStorePurpose = 'begin' | 'use' | 'read';

export interface NewKeyObject {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface KeyObjectChange {
  readonly name: string;
  /** The change is made only where the object has these bytes; undefined stands for any. */
  readonly from: Uint8Array | undefined;
  /** The new bytes; undefined removes the object. */
  readonly to: Uint8Array | undefined;
}

/**
 * PORT: the small objects that a key store lies in. Each method takes many at once and does them in parallel, bounded.
 *
 * - `read` resolves undefined for an object that is not there. With `durable`, the objects that it gives survive a power
 *   loss when it resolves: their writer may have died before it flushed them.
 * - `create` is create-only: of concurrent creators of one name exactly one gets `'created'`. The object is durable when it
 *   resolves, with `'exists'` too, and visible as a whole or not at all.
 * - `change` replaces an object in one step, or removes it. It resolves false where the object is not there or has other
 *   bytes than `from`. Bytes are compared directly before the step: a store without conditional writes leaves a moment
 *   between the two. The change is durable when it resolves, and nothing of the old bytes can be read from the store.
 * - `list` yields the names below a prefix in any order; names that come or go meanwhile may or may not be among them.
 * - A failure of the medium throws KEY_STORE_UNAVAILABLE; any part of the batch may have been applied then. An object that
 *   other users may read throws KEY_STORE_EXPOSED, a medium that keeps deleted bytes KEY_STORE_UNFIT.
 */
export interface KeyObjects {
  read(
    names: readonly string[],
    options?: { readonly durable?: boolean },
  ): Promise<readonly (Buffer | undefined)[]>;
  create(objects: readonly NewKeyObject[]): Promise<readonly ('created' | 'exists')[]>;
  change(changes: readonly KeyObjectChange[]): Promise<readonly boolean[]>;
  list(prefix: string): AsyncIterable<string>;
  /** Idempotent. */
  close(): Promise<void>;
}
