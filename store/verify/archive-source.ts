/** PORT: an archive as verification reads it. */
import type { Place } from '../chain/layout.ts';
import type { ArchiveObject } from './archive-object.ts';
import type { Findings } from './report.ts';

/** One thing that lies in an archive; no place where the format has none for it. */
export interface SourceEntry {
  readonly key: string;
  readonly place: Place | undefined;
}

/** What keeps an object that is not there, as an interrupted writer leaves it. */
export interface LoneLock {
  readonly name: string;
  readonly place: Place;
}

/**
 * Gives names and bytes, and reports how objects are kept; what the bytes mean is judged by its caller. Whatever is
 * wrong with the archive becomes a failure, whatever is wrong with the medium rejects. Reading changes nothing.
 */
export interface ArchiveSource {
  /** What a person would call the place: it holds logs, or it does not. */
  readonly kind: 'folder' | 'prefix';
  /** Names directly in a folder, of objects and of folders, ascending; none where there is no such folder. */
  namesIn(folder: string): Promise<string[]>;
  /** Everything there is but `loneLocks`, each thing once. Must be walked to its end before anything else is asked. */
  walk(findings: Findings): AsyncIterable<SourceEntry>;
  /** Undefined if there is none. Damaged bytes are given too: later checks tell which leaves suffer. */
  read(key: string): Promise<ArchiveObject | undefined>;
  /** Reports unless the object is kept as the archive keeps its objects, and its bytes are what it was locked for. */
  checkLock(
    key: string,
    object: Omit<ArchiveObject, 'bytes'>,
    index: number | null,
    findings: Findings,
  ): Promise<void>;
  /** Locks of a log that no object was found for, after all its objects were checked; reports those that are damaged. */
  loneLocks(log: string, findings: Findings): AsyncIterable<LoneLock>;
}
