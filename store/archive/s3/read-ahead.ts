/** Fetches objects shortly before they are read, so that a reader of a bucket does not wait for each in turn. */
import { seriesOf } from '../../chain/layout.ts';
import type { ObjectVersion } from './versions.ts';

export interface ReadAhead<T> {
  /** Keys ascend. */
  add(key: string, version: ObjectVersion): void;
  /** Undefined where the key was not added. Rejects as the fetch does. */
  read(key: string): Promise<T | undefined>;
}

interface Entry<T> {
  readonly key: string;
  readonly version: ObjectVersion;
  /** The next entry of the same series, which is mostly read next. */
  next: Entry<T> | undefined;
  fetching: Promise<T> | undefined;
}

/** Entries of one series that are fetched ahead, so that four bundles with their payloads are on their way at once. */
const DEPTH = 4;
/** Bytes that are fetched and unread. A larger object is fetched when it is read. */
const MAX_AHEAD_BYTES = 32 * 1024 * 1024;

/** Holds a name and a version per key, and at most 32 MiB of objects. */
export function createReadAhead<T>(fetch: (key: string, versionId: string) => Promise<T>): ReadAhead<T> {
  const entries = new Map<string, Entry<T>>();
  const newest = new Map<string, Entry<T>>();
  // Bytes of all entries with `fetching`; changed with it and nowhere else.
  let aheadBytes = 0;

  const start = (entry: Entry<T>): Promise<T> => fetch(entry.key, entry.version.versionId);
  const startAhead = (after: Entry<T>): void => {
    let entry = after.next;
    for (let depth = 0; depth < DEPTH && entry !== undefined; depth += 1, entry = entry.next) {
      const { sizeBytes } = entry.version;
      if (entry.fetching !== undefined || aheadBytes + sizeBytes > MAX_AHEAD_BYTES) continue;
      aheadBytes += sizeBytes;
      entry.fetching = start(entry);
      // `read` passes the failure on. Where nobody reads the entry, the failure is not an unhandled rejection.
      entry.fetching.catch(() => undefined);
    }
  };
  return {
    add(key, version) {
      const entry: Entry<T> = { key, version, next: undefined, fetching: undefined };
      const series = seriesOf(key);
      const previous = newest.get(series);
      if (previous !== undefined) previous.next = entry;
      newest.set(series, entry);
      entries.set(key, entry);
    },
    async read(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      const { fetching } = entry;
      if (fetching !== undefined) aheadBytes -= entry.version.sizeBytes;
      entry.fetching = undefined;
      const fetched = fetching ?? start(entry);
      startAhead(entry);
      return fetched;
    },
  };
}
