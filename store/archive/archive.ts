import type { ArchiveLock } from '../../schemas/archive-lock.ts';

/**
 * PORT: write-once object store, the truth of the system.
 *
 * - `put` is create-only and resolves when the bytes and their lock are durable, also with `'exists'`, the answer to the
 *   same bytes under the same key. An object that `get` or `list` shows may not be durable yet. Other bytes throw
 *   ARCHIVE_CONFLICT, and the stored object is not touched. Of concurrent writers of one key exactly one gets
 *   `'created'`.
 * - `get` throws ARCHIVE_DAMAGED where the bytes are not those that were put; resolves undefined without an object.
 * - `list` yields all keys below `prefix`, with `after` only those behind it, in ascending byte order, complete as of
 *   its start.
 * - `folders` resolves to the names of the folders directly below `prefix`, which is empty or ends in a slash, ascending.
 *   A folder may hold no object, where a writer died.
 * - Failures of the medium throw ARCHIVE_UNAVAILABLE (retry later); a failed `put` may have been applied.
 * - Objects are never deleted or overwritten. Keys are ASCII path segments joined by `/`.
 */
export interface Archive {
  put(key: string, bytes: Uint8Array, lock: ArchiveLock): Promise<'created' | 'exists'>;
  get(key: string): Promise<Uint8Array | undefined>;
  list(prefix: string, after?: string): AsyncIterable<string>;
  folders(prefix: string): Promise<string[]>;
  /** Idempotent. */
  close(): Promise<void>;
}
