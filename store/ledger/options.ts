/** The ports and settings of a ledger. */
import type { Clock } from '../../schemas/clock.ts';
import type { ClockStep } from '../../schemas/sealing-events.ts';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { RetentionClass } from '../../schemas/retention.ts';
import type { Archive } from '../archive/archive.ts';
import type { KeyStore } from '../data-keys/key-store.ts';
import type { HeadGuard, Signer } from '../keys/signer.ts';
import type { Projection } from './projection.ts';

export interface LedgerOptions {
  /** Short name of the log, e.g. `p0`. */
  readonly log: string;
  readonly archive: Archive;
  /** The keys of frames. Recovery reads those of the newest bundle first; sealing makes those that are missing. */
  readonly dataKeys: Pick<KeyStore, 'subjects' | 'keysFor' | 'find'>;
  /** The projections that follow the log. Bundles are applied to them in this order. */
  readonly projections: readonly Projection[];
  readonly signer: Signer;
  /** The signer of the next key, while the key of the log changes (`rotate-key.ts`). */
  readonly nextSigner?: Signer | undefined;
  readonly guard: HeadGuard;
  readonly clock: Clock;
  readonly randomBytes: (count: number) => Uint8Array;
  /** The lock of an object of this class that is written now. */
  readonly lockFor: (retentionClass: RetentionClass, nowMs: number) => ArchiveLock;
  /** The furthest that the clock may be ahead of everything it is compared with; without it nothing is refused. */
  readonly maxClockAheadMs?: number;
  /** Called for each bundle that is sealed behind the bundle before it or behind its own records. Must not throw. */
  readonly onClockBehind?: (step: ClockStep) => void;
  /** Called after recovery has applied a bundle to the projections that lacked it. */
  readonly onReplay?: (leavesDone: number, leavesTotal: number) => void;
}
