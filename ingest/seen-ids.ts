/**
 * PORT: the record ids that the log holds already, so that a repeated delivery in any grouping is recognised.
 *
 * `has` resolves to those of `ids` that are ids of leaves of the log, by the whole id. It knows every bundle whose append
 * has resolved. It rejects with STORE_UNAVAILABLE or ARCHIVE_UNAVAILABLE (retry later) where it cannot know.
 */
export interface SeenIds {
  has(ids: readonly string[]): Promise<ReadonlySet<string>>;
}
