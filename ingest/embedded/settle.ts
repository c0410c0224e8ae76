/** Brings the embedded log in line with the ledger before the first append and the first consumer. */
import { PipelineError } from '../../schemas/errors.ts';
import type { EntryMark } from '../event-log.ts';
import type { ReadFrame } from '../frame-reader.ts';
import { collectorOf } from '../framing.ts';
import type { BinaryDatabase, Environment } from './environment.ts';
import {
  changeBacklog,
  countedName,
  readBacklogs,
  readState,
  replaceBacklogs,
  shiftTooLarge,
  toOffset,
  writeState,
  type Backlog,
} from './state.ts';

interface SettledStorage {
  readonly environment: Environment;
  readonly entries: BinaryDatabase;
  readonly meta: BinaryDatabase;
}

/** How an entry before the ledger's offset is told from one that was never sealed. */
export interface SealedEntries {
  readonly read: ReadFrame;
  readonly isSealed: (mark: EntryMark) => boolean;
}

/** An entry without its bytes: the bodies together may not fit into memory. */
export interface StoredEntry {
  readonly key: Buffer;
  readonly size: number;
  readonly collector: string;
}

/** Entries removed in one transaction, so that appends never wait long for the write lock. */
export const REMOVE_MAX_ENTRIES = 2000;

/**
 * Entries before `from` were sealed by a consumer that died before it could acknowledge them: they are removed. An entry
 * there that was not sealed comes from another copy of this log, which went on by itself: from it on, all offsets are
 * shifted up to `from`, so that it is delivered. So are those of a log whose next offset is before `from`, an older copy.
 * The sequencer recognises repeated records. An entry that does not read was sealed as a dead letter, unless an entry
 * behind it was not sealed. Without `sealed` the entries before `from` count as sealed unless the log is an older copy.
 */
export async function settleAt(storage: SettledStorage, from: bigint, sealed?: SealedEntries): Promise<void> {
  await storage.environment.commit(() => {
    const state = readState(storage.meta);
    if (state.next >= from || sealed !== undefined) return;
    shiftBy(storage.meta, from - (state.next - BigInt(state.envelopes)));
  });
  while (await storage.environment.commit(() => removeSealed(storage, from, sealed)));
  await storage.environment.commit(() => {
    const { next } = readState(storage.meta);
    if (next < from) shiftBy(storage.meta, from - next);
  });
}

/** Runs inside a transaction. True where there may be more to remove. */
function removeSealed(storage: SettledStorage, from: bigint, sealed?: SealedEntries): boolean {
  const { shift, next } = readState(storage.meta);
  const judge = judgeOf(sealed, next < from);
  const removed: StoredEntry[] = [];
  // Entries in a row that do not read: the next one that reads says which side they are on.
  let doubted = 0;
  for (const { key, value } of storage.entries.getRange({ limit: REMOVE_MAX_ENTRIES })) {
    const offset = toOffset(key, shift);
    if (offset >= from) break;
    const verdict = judge(value, offset);
    if (verdict === 'unsealed') {
      const kept = removed.splice(removed.length - doubted);
      removeEntries(storage, removed);
      shiftBy(storage.meta, from - toOffset(kept[0]?.key ?? key, shift));
      return false;
    }
    doubted = verdict === 'unreadable' ? doubted + 1 : 0;
    removed.push({ key, size: value.length, collector: collectorOf(value) });
  }
  removeEntries(storage, removed);
  return removed.length === REMOVE_MAX_ENTRIES;
}

type Verdict = 'sealed' | 'unsealed' | 'unreadable';

/** How entries before the ledger's offset are judged. Those of an older version have no number and went by offsets. */
function judgeOf(sealed: SealedEntries | undefined, isOlderCopy: boolean) {
  return (value: Buffer, offset: bigint): Verdict => {
    if (sealed === undefined) return 'sealed';
    const entry = sealed.read(value, offset);
    if ('unreadable' in entry) return isOlderCopy ? 'unsealed' : 'unreadable';
    const isSealed = entry.mark === undefined ? !isOlderCopy : sealed.isSealed(entry.mark);
    return isSealed ? 'sealed' : 'unsealed';
  };
}

/** Call it inside a transaction. */
function shiftBy(meta: BinaryDatabase, by: bigint): void {
  const state = readState(meta);
  writeState(meta, { ...state, next: state.next + by, shift: state.shift + by });
}

/**
 * Somebody who changes entries or counts by other means leaves counts that are wrong: appends would be refused for ever, or
 * would overwrite an entry. So all counts and the next offset are taken from the entries where they differ. Throws
 * LOG_DAMAGED where the entries do not give them.
 */
export async function repairState(storage: SettledStorage): Promise<void> {
  storage.environment.refresh();
  if (isInLine(storage.meta, countEntries(storage))) return;
  await storage.environment.commit(() => {
    const { backlogs, end, envelopes, bytes } = countEntries(storage);
    const state = readState(storage.meta);
    writeState(storage.meta, { ...state, next: end > state.next ? end : state.next, envelopes, bytes });
    replaceBacklogs(storage.meta, backlogs);
  });
}

/** Counts that the entries themselves give. */
interface EntryCounts extends Backlog {
  /** Offset after the last entry; 0 where there is none. */
  readonly end: bigint;
  readonly backlogs: ReadonlyMap<string, Backlog>;
}

/** Reads each entry once. */
function countEntries({ entries, meta }: SettledStorage): EntryCounts {
  const { shift, next } = readState(meta);
  const backlogs = new Map<string, Backlog>();
  let [envelopes, bytes, end] = [0, 0, 0n];
  for (const { key, value } of entries.getRange()) {
    const collector = countedName(collectorOf(value));
    const before = backlogs.get(collector) ?? { envelopes: 0, bytes: 0 };
    backlogs.set(collector, { envelopes: before.envelopes + 1, bytes: before.bytes + value.length });
    envelopes += 1;
    bytes += value.length;
    end = toOffset(key, shift) + 1n;
  }
  if (end === 0n && shift > next) throw shiftTooLarge(shift, next);
  return { envelopes, bytes, end, backlogs };
}

function isInLine(meta: BinaryDatabase, counted: EntryCounts): boolean {
  const state = readState(meta);
  if (!isEqual(state, counted) || counted.end > state.next) return false;
  const stored = readBacklogs(meta);
  return (
    stored.size === counted.backlogs.size &&
    [...counted.backlogs].every(([collector, backlog]) => isEqual(stored.get(collector), backlog))
  );
}

function isEqual(stored: Backlog | undefined, counted: Backlog): boolean {
  return stored?.envelopes === counted.envelopes && stored.bytes === counted.bytes;
}

/** Entries that are sealed. Runs inside a transaction. */
export function removeEntries(
  { entries, meta }: Pick<SettledStorage, 'entries' | 'meta'>,
  removed: readonly StoredEntry[],
): void {
  const state = readState(meta);
  let { envelopes, bytes, acknowledged } = state;
  const backlog = changeBacklog(meta);
  for (const { key, size, collector } of removed) {
    void entries.remove(key);
    backlog.add(collector, { envelopes: -1, bytes: -size });
    envelopes -= 1;
    bytes -= size;
    const end = toOffset(key, state.shift) + 1n;
    if (end > acknowledged) acknowledged = end;
  }
  const left = { envelopes: Math.max(0, envelopes), bytes: Math.max(0, bytes) };
  writeState(meta, { ...state, ...left, acknowledged });
  backlog.write();
}

/** Offset of the first entry that the log holds; of the next one where it holds none. */
export function beginningOf({ environment, entries, meta }: SettledStorage): bigint {
  environment.refresh();
  const { next, shift } = readState(meta);
  for (const key of entries.getKeys({ limit: 1 })) return toOffset(key, shift);
  return next;
}

/**
 * A consumer acknowledges an entry when it is sealed and its bundle is durable. So a ledger that goes on before that lacks
 * bundles that were there. Throws START_REFUSED.
 */
export function requireNewestLedger({ environment, meta }: SettledStorage, from: bigint): void {
  environment.refresh();
  const { acknowledged } = readState(meta);
  if (from >= acknowledged) return;
  throw new PipelineError(
    'START_REFUSED',
    `the ledger goes on at offset ${from}, but entries up to ${acknowledged} were sealed and removed from the event log: the archive is an older copy and lacks sealed records; see docs/runbook.md`,
  );
}
