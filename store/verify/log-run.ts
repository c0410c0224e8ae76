/** Values that the checks of one log share. */
import type { LogGenesis } from '../../schemas/bundle.ts';
import type { LogListing } from './archive-listing.ts';
import type { HeadEntry } from '../../schemas/head-entry.ts';
import type { ArchiveReader } from './archive-reader.ts';
import type { FrameOpening } from './framed-payloads.ts';
import type { HeadsBySize } from './head-log.ts';
import type { KeyWalk } from './key-walk.ts';
import type { Findings } from './report.ts';
import type { TreeState } from './tree.ts';

export interface LogObjects {
  /** Heads of this log that the head log names. */
  readonly heads: HeadsBySize;
  /** Takes the entries of the head log, where this is it. */
  readonly onEntry?: ((entry: HeadEntry, index: number) => void) | undefined;
  readonly reader: ArchiveReader;
  readonly listing: LogListing;
  readonly findings: Findings;
}

/** A genesis that reads. */
export interface FoundGenesis {
  readonly genesis: LogGenesis;
  /** SHA-256 of its object, hex. */
  readonly sha256: string;
  /** Whether the key that it names signed it. Otherwise its promises bind nobody, and nothing is held against them. */
  readonly isSigned: boolean;
}

export interface LogRun extends LogObjects {
  /** Undefined where the genesis does not read. */
  readonly found: FoundGenesis | undefined;
  /** Undefined where the genesis does not read; then neither origin nor signatures can be judged. */
  readonly origin: string | undefined;
  readonly keys: KeyWalk;
  readonly opening: FrameOpening;
}

/** Where the bundles of a log end. */
export interface LogEnd {
  /** Undefined where the last leaves could not be read. */
  readonly tree: TreeState | undefined;
  readonly size: number;
  /** Size of the last checkpoint that is good and fits the leaves. */
  readonly signedSize: number;
  /** `integrated_at` of the newest bundle that the key signed. */
  readonly integratedAt: string | undefined;
  /** Sizes of checkpoints at which no bundle ends. */
  readonly strayCheckpoints: readonly number[];
}
