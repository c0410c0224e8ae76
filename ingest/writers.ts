/** Whether entries of the event log are missing: each writer numbers its own without a gap. Pure. */
import type { WriterHead, WriterHeads } from '../schemas/bundle.ts';
import { toInstant } from '../schemas/clock.ts';
import type { EntryMark, LoggedEnvelope } from './event-log.ts';
import { NEW_ID_AFTER_MS } from './frame-writer.ts';

/** Entries of one writer that were not read although a later one of it was. */
export interface WriterGap {
  /**
   * - `missing`: the numbers were appended and not read, so they were removed from the log, or are dead letters.
   * - `forked`: the entry was read, and names another entry before it than the one that was read.
   */
  readonly reason: 'missing' | 'forked';
  readonly writer: string;
  readonly first: number;
  readonly last: number;
  /** When the entry behind the gap was received. */
  readonly received_at: string;
  /** Since when the missing entries may have been received; not after `received_at`. */
  readonly missing_since: string;
}

export interface Followed {
  /** The heads after these entries; undefined where no entry had a number yet. */
  readonly heads: WriterHeads | undefined;
  readonly gaps: readonly WriterGap[];
}

/** Writers that are always kept, those that wrote last. So the list is never empty again. */
export const KEPT_WRITERS = 16;
/** A writer beyond them is kept until it was silent for so long; it has another id long before (`frame-writer.ts`). */
export const MAX_SILENCE_MS = 72 * 3_600_000;
/** Writers beyond this number are dropped, however short their silence. */
export const MAX_WRITERS = 256;

const NO_MAC = '0'.repeat(64);

/**
 * Follows entries in the order of the log. An entry whose number is not above its writer's last was read before: the
 * records in it decide whether it is a repeat, and the heads stay.
 */
export function followWriters(
  before: WriterHeads | undefined,
  entries: readonly LoggedEnvelope[],
  keySha256: string | undefined,
): Followed {
  const gaps: WriterGap[] = [];
  // In the order of the last entry of each writer.
  const heads = new Map(before?.heads.map((head) => [head.writer, head]));
  for (const { mark, envelope } of entries) {
    if (mark === undefined) continue;
    const known = heads.get(mark.writer);
    if (mark.number <= (known?.number ?? 0)) continue;
    const gap = gapBefore(mark, known);
    const { received_at } = envelope;
    if (gap !== undefined) {
      const missing_since = missingSince(gap, known, received_at);
      gaps.push({ ...gap, writer: mark.writer, received_at, missing_since });
    }
    const { writer, number, mac } = mark;
    heads.delete(writer);
    heads.set(writer, { writer, number, mac, received_at });
  }
  if (keySha256 === undefined || heads.size === 0) return { heads: before, gaps };
  return { heads: { key_sha256: keySha256, heads: keepRecent([...heads.values()]) }, gaps };
}

/**
 * Whether an entry is sealed by a bundle with these heads. Copies of one log that went on by themselves give one offset
 * twice, but a writer never gives a number twice. Undefined where no bundle names a writer.
 */
export function sealedBy(writers: WriterHeads | undefined): ((mark: EntryMark) => boolean) | undefined {
  if (writers === undefined) return undefined;
  const numbers = new Map(writers.heads.map(({ writer, number }) => [writer, number]));
  return ({ writer, number }) => number <= (numbers.get(writer) ?? 0);
}

/**
 * Since when entries of the event log may have been received that no bundle holds, where the numbers do not say which:
 * they lay behind the newest entry that a bundle holds. Empty where no bundle names that entry. A clock may have stepped
 * back since then, so it is never after `received_at`.
 */
export function missingBehind(
  ledger: { writers(): WriterHeads | undefined },
  received_at: string,
): { readonly missing_since?: string } {
  const newest = ledger.writers()?.heads.at(-1)?.received_at;
  if (newest === undefined) return {};
  return { missing_since: Date.parse(newest) < Date.parse(received_at) ? newest : received_at };
}

function gapBefore(
  { number, abandonedFrom, previousMac }: EntryMark,
  known: WriterHead | undefined,
): Pick<WriterGap, 'reason' | 'first' | 'last'> | undefined {
  const first = (known?.number ?? 0) + 1;
  if (abandonedFrom > first) return { reason: 'missing', first, last: abandonedFrom - 1 };
  // Behind abandoned numbers the entry before is one that nobody may have read.
  if (number !== first || previousMac === (known?.mac ?? NO_MAC)) return undefined;
  return { reason: 'forked', first: number, last: number };
}

/**
 * Missing entries were received between the entry before them and the one behind them. Where the one before was not
 * read, each is at most one silence of a writer older than the next. A clock may have stepped back in between.
 */
function missingSince(
  { reason, first, last }: Pick<WriterGap, 'reason' | 'first' | 'last'>,
  known: WriterHead | undefined,
  received_at: string,
): string {
  const behindMs = Date.parse(received_at);
  // The head of a fork is the entry that was read; the writer wrote another one in its place at another time.
  const isBounded = known !== undefined && reason === 'missing';
  const silentMs = isBounded ? 0 : (last - first + 1) * NEW_ID_AFTER_MS;
  const headMs = known === undefined ? behindMs : Date.parse(known.received_at);
  return toInstant(Math.max(0, Math.min(headMs, behindMs - silentMs)));
}

/**
 * Silence is measured on the clocks of the receivers, which move with the log however late it is read. One clock that is
 * ahead must make nobody look silent, so the time is the least of those of the writers that wrote last.
 */
function keepRecent(heads: readonly WriterHead[]): WriterHead[] {
  const newestMs = Math.min(...heads.slice(-KEPT_WRITERS).map(({ received_at }) => Date.parse(received_at)));
  return heads.filter(({ received_at }, index) => {
    const newer = heads.length - 1 - index;
    if (newer < KEPT_WRITERS) return true;
    return newer < MAX_WRITERS && newestMs - Date.parse(received_at) <= MAX_SILENCE_MS;
  });
}
