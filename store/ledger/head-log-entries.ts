/** Decides what an entry of the head log says, and when one is due. Pure. */
import { canonicalJson } from '../../schemas/canonical.ts';
import { isOrdered, type HeadEntry, type NamedHead } from '../../schemas/head-entry.ts';
import { emptyRoot } from '../chain/merkle.ts';
import { sha256Hex } from '../chain/leaf.ts';
import type { PublishedCheckpoint, PublishedLog } from './published-log.ts';

/** An entry is written at least so often though nothing came: then silence shows that the writer was away. */
const AT_LEAST_EVERY_MS = 60 * 60 * 1000;

/** The newest head of a log, as an entry names it. */
export function toNamedHead(
  { log, origin }: Pick<PublishedLog, 'log' | 'origin'>,
  checkpoint: PublishedCheckpoint | undefined,
): NamedHead {
  if (checkpoint === undefined)
    return { log, origin, tree_size: 0, root_hash: Buffer.from(emptyRoot()).toString('hex') };
  const { tree_size, root_hash, note } = checkpoint;
  return { log, origin, tree_size, root_hash, note_sha256: sha256Hex(note) };
}

/**
 * The heads of the next entry, rising by log. A process may know an older head of a log than the entry before, or none,
 * because another process seals it. Then the entry keeps the head that was named before, so that it takes nothing back.
 */
export function heldBefore(before: readonly NamedHead[], heads: readonly NamedHead[]): NamedHead[] {
  const byLog = new Map(before.map((head) => [head.log, head]));
  for (const head of heads)
    if (head.tree_size > (byLog.get(head.log)?.tree_size ?? -1)) byLog.set(head.log, head);
  const merged = [...byLog.values()].sort((left, right) => (left.log < right.log ? -1 : 1));
  if (!isOrdered({ heads: merged })) throw new RangeError('an entry names a log twice');
  return merged;
}

/** Whether an entry is due: the first one, a changed one after `everyMs`, and any after an hour. */
export function isDue(
  newest: HeadEntry | undefined,
  heads: readonly NamedHead[],
  { nowMs, everyMs }: { readonly nowMs: number; readonly everyMs: number },
): boolean {
  if (newest === undefined) return true;
  const ageMs = nowMs - Date.parse(newest.taken_at);
  if (ageMs >= AT_LEAST_EVERY_MS) return true;
  return ageMs >= everyMs && canonicalJson(newest.heads) !== canonicalJson([...heads]);
}
