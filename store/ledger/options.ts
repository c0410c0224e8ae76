import type { PartKind } from '../../schemas/bundle.ts';
import type { Clock } from '../../schemas/clock.ts';
import type { Archive, ArchiveLock } from '../archive/archive.ts';
import type { RecordStore } from '../records/record-store.ts';
import type { HeadGuard, Signer } from '../keys/signer.ts';

export interface LedgerPorts {
  readonly archive: Archive;
  readonly records: RecordStore;
  readonly signer: Signer;
  readonly guard: HeadGuard;
  readonly clock: Clock;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** What kind of object a lock is asked for; content has a retention clock of its own. */
export type LockKind = PartKind | 'log';

export interface LedgerOptions extends LedgerPorts {
  /** Short name of the log, e.g. `p0`. */
  readonly log: string;
  /** Told after each bundle that recovery brings into the record store. */
  readonly onReplay?: (leavesDone: number, leavesTotal: number) => void;
  readonly lockFor: (kind: LockKind, retentionClass: string, now: number) => ArchiveLock;
}
