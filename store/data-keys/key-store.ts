import type { KeyAddress, TombstoneScope } from '../../schemas/data-key.ts';
import type { DataKey, FoundKey } from '../chain/data-key.ts';

/** A name is the keyed hash of a person. Of the other scopes a tombstone stays. */
export type DestroyScope = TombstoneScope | { readonly name: string };

/** The end of a `destroy`. */
export interface Destruction {
  /**
   * - `destroyed`: this call wrote the tombstone
   * - `destroyed_before`: the tombstone was there, and leftovers of an earlier call are gone now
   * - `absent`: the name has no surrogate
   */
  readonly outcome: 'destroyed' | 'destroyed_before' | 'absent';
  /** The subject that was destroyed; null for a class and month, and where the name has no surrogate. */
  readonly subject: string | null;
  /** Data keys that this call removed. */
  readonly key_count: number;
}

/**
 * PORT: data keys and the surrogates of subjects. The only place where a deletion really deletes. Several processes share
 * one store. Each method takes many items at once and answers in their order; an item may repeat.
 *
 * - `subjects` gives the surrogate of each name and draws one where there is none. Of concurrent creators exactly one wins,
 *   and all get its surrogate. Surrogates are durable when it resolves.
 * - `keysFor` gives the data key of each address and makes one where there is none. It serves sealing: a key is durable when
 *   it resolves, and an address has one key whatever races. `'destroyed'`: the subject, or the class and month, has a
 *   tombstone, and no key is ever made there again. A caller that gets it for a subject asks `subjects` again: the name has
 *   another surrogate from then on.
 * - `find` serves reading: it makes nothing.
 * - `destroy` removes the data keys of a scope, and with a subject its surrogate, and leaves a tombstone. The removal is
 *   durable when it resolves. It may be repeated, and must be after a failure: by subject, or by name. In other processes
 *   `keysFor`, `find` and `subjects` may give what they have in their cache, until it is older than its age; none gives it
 *   later.
 * - Errors: KEY_STORE_UNAVAILABLE and MASTER_KEY_MISSING (retry later; some items may have been made), KEY_STORE_DAMAGED
 *   (an object does not read as written, or its key does not fit), KEY_STORE_EXPOSED (others may read it), KEY_STORE_UNFIT
 *   (the medium keeps what is deleted), PARAMETER_INVALID.
 */
export interface KeyStore {
  subjects(names: readonly string[]): Promise<readonly string[]>;
  keysFor(addresses: readonly KeyAddress[]): Promise<readonly (DataKey | 'destroyed')[]>;
  find(addresses: readonly KeyAddress[]): Promise<readonly FoundKey[]>;
  destroy(scope: DestroyScope): Promise<Destruction>;
  /** Idempotent. Forgets every key in memory. */
  close(): Promise<void>;
}
