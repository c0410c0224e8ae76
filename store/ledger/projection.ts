import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { RecordRow } from '../records/record-store.ts';

/** A sealed bundle as projections read it. */
export interface ProjectedBundle {
  /** Short name of the log. */
  readonly log: string;
  /** Key of the bundle in the archive; no two bundles of a deployment share one. */
  readonly key: string;
  /** Index of its first leaf, and the number of leaves of the log behind it. */
  readonly start_index: number;
  readonly tree_size: number;
  /** The lock that its header signs. */
  readonly lock: ArchiveLock;
  /** Record ids of its leaves, in order. */
  readonly ids: readonly string[];
  /** Leaf hashes, in order. */
  readonly leafHashes: readonly Uint8Array[];
  /** Rows of its leaves, in order. They are large, so each call makes them again. */
  rows(): Promise<readonly RecordRow[]>;
}

/**
 * When a bundle is applied. `sealing`: before the next batch is sealed, because sealing reads the projection.
 * `publishing`: before the checkpoint of the bundle is published, because readers of the checkpoint read the projection.
 */
export type ProjectionStage = 'sealing' | 'publishing';

/**
 * PORT: something that is derived from a log, bundle by bundle, and can be emptied and derived again.
 *
 * - `size` is the number of leaves of a log, from the first one on, that are in it.
 * - `apply` adds consecutive bundles of one log, at least one, whose first start is not above `size`. It is idempotent:
 *   leaves below `size` change nothing. It is durable when it resolves where the projection is durable at all; `size`
 *   never counts a leaf that is not in it.
 * - `version` rises when `apply` makes something else of the same bundle. A durable projection that a lower version
 *   filled is cleared and filled again. A projection in memory begins empty at every start.
 * - `chainAt` is the chain value that it holds beside a leaf below `size`, hex; undefined where it keeps none. Recovery
 *   compares it with the archive, because a projection of another deployment would look whole.
 * - `clear` empties it, for all logs.
 * - A medium that does not answer makes all methods throw STORE_UNAVAILABLE (retry later).
 */
export interface Projection {
  readonly name: string;
  readonly version: number;
  readonly stage: ProjectionStage;
  size(log: string): Promise<number>;
  apply(bundles: readonly ProjectedBundle[]): Promise<void>;
  chainAt?(log: string, leafIndex: number): Promise<string | undefined>;
  clear(): Promise<void>;
}
