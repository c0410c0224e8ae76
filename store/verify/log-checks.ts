/** The checks of a log besides its bundles: its checkpoints, and the objects and locks that no bundle names. */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import { HEAD_LOG } from '../../schemas/head-entry.ts';
import type { Checkpoint } from '../chain/checkpoint.ts';
import { openExactCheckpoint, type KeyHistory } from '../chain/key-history.ts';
import { checkpointKey, parseKey } from '../chain/layout.ts';
import { checkLockHolds, readObject, type Remains, type RemainsPlace } from './archive-reader.ts';
import type { LogEnd, LogObjects, LogRun } from './log-run.ts';
import { rootHex } from './tree.ts';

/** The end of a bundle, where a checkpoint lies. */
export interface CheckpointPlace extends Pick<LogEnd, 'tree' | 'signedSize'> {
  /** The lock that the header of the bundle signed. */
  readonly lock: ArchiveLock;
}

/**
 * SPEC (archive.md): a note with one signature, by the key of the log at its size, and with two where the key changes: the
 * old one, then the new one. Its origin is that of the genesis, its size that of its name. A further signature line would
 * hold bytes that nobody signed. If the root differs, some leaf since the last good checkpoint is not the leaf that was signed.
 */
export async function isCheckpointGood(
  { reader, listing, keys, heads, findings }: LogRun,
  { tree, signedSize, lock: signed }: CheckpointPlace,
  size: number,
): Promise<boolean> {
  const name = checkpointKey(listing.log, size);
  const object = await readObject(reader, name, null, findings);
  checkLockHolds(name, { lock: object?.lock, signed }, null, findings);
  const current = keys.current();
  if (current === undefined) return false;
  const checkpoint = object && openExactly(object.bytes, current);
  if (checkpoint?.tree_size !== size) {
    findings.fail('checkpoint_invalid', null, name);
    return false;
  }
  if (tree === undefined) return false;
  const named = heads.get(size)?.note_sha256;
  if (named !== undefined && named !== object?.sha256)
    findings.fail('heads_mismatch', null, `${name} is not the note that ${HEAD_LOG} names`);
  if (checkpoint.root_hash === rootHex(tree)) return true;
  const detail = `${name} signs root ${checkpoint.root_hash}, the leaves make ${rootHex(tree)}`;
  findings.fail('checkpoint_root_mismatch', signedSize, detail);
  return false;
}

/** The checkpoint of a note whose bytes are UTF-8 and whose only signatures are good ones by the keys of its size. */
function openExactly(bytes: Buffer, keys: KeyHistory): Checkpoint | undefined {
  const note = bytes.toString('utf8');
  return Buffer.from(note).equals(bytes) ? openExactCheckpoint(keys, note) : undefined;
}

/**
 * SPEC (archive.md): the writer publishes a checkpoint where each bundle ends, before it creates the next one. So at most
 * the newest bundle may be without, and no checkpoint may lie beyond or between the bundles.
 */
export function checkCheckpointCover(run: LogRun, end: LogEnd): void {
  for (const size of end.strayCheckpoints) reportStray(run, end, size);
  const present = new Set(run.listing.checkpoints);
  const [, ...bundleEnds] = [...run.listing.early.bundles, end.size];
  for (const size of bundleEnds) if (!present.has(size)) reportMissing(run, end, size);
}

function reportStray({ listing, findings }: LogRun, end: LogEnd, size: number): void {
  if (size <= end.size) {
    findings.fail('checkpoint_invalid', null, `${checkpointKey(listing.log, size)} is at no bundle's end`);
    return;
  }
  const detail = `a head of ${String(size)} leaves was signed, the bundles of ${listing.log} end at ${String(end.size)}`;
  findings.fail('bundle_missing', end.size, detail);
}

function reportMissing({ listing, findings }: LogRun, end: LogEnd, size: number): void {
  const detail = `${listing.log} has no checkpoint of ${String(size)} leaves`;
  if (size !== end.size) {
    findings.fail('checkpoint_missing', null, detail);
    return;
  }
  const newestStart = listing.early.bundles.at(-1) ?? 0;
  findings.notice('unpublished_tail', newestStart, `${detail}: the newest bundle is not signed yet`);
}

/** The end of a bundle, where a named head lies. */
export interface NamedHeadPlace extends Pick<LogEnd, 'tree'> {
  /** Largest smaller size at which leaves and head log agree. */
  readonly agreed: number;
  /** Whether a checkpoint of this size was listed. */
  readonly isPublished: boolean;
}

/**
 * SPEC (archive.md): each head that the head log names is a head of these leaves, at the end of a bundle, and was published.
 * Reports the first size at which it is not, by the largest smaller size that agrees.
 */
export function checkNamedHead(
  { listing, heads, findings }: LogRun,
  { tree, agreed, isPublished }: NamedHeadPlace,
  size: number,
): boolean {
  const named = heads.get(size);
  if (named === undefined || tree === undefined) return false;
  if (named.root_hash !== rootHex(tree)) {
    const detail = `entry ${String(named.entry)} of ${HEAD_LOG} names root ${named.root_hash} at size ${String(size)} of ${listing.log}, the leaves make ${rootHex(tree)}`;
    findings.fail('heads_mismatch', agreed, detail);
    return false;
  }
  if (!isPublished && !listing.checkpoints.includes(size)) {
    const detail = `${listing.log} has no checkpoint of ${String(size)} leaves, which ${HEAD_LOG} names`;
    findings.fail('checkpoint_missing', null, detail);
  }
  return true;
}

/** The named heads that no bundle has reached. An archive that grows while it is read may have got them since. */
export function checkUnreachedHeads(
  { listing, heads, findings }: LogRun,
  end: LogEnd,
  { sizes, agreed }: { readonly sizes: ReadonlySet<number>; readonly agreed: number },
): void {
  const listed = new Set(listing.checkpoints);
  const missing = [...sizes].filter((size) => !listed.has(size)).sort((a, b) => a - b);
  const inside = missing.find((size) => size <= end.size);
  const beyond = missing.at(-1);
  if (inside !== undefined) {
    const detail = `entry ${String(heads.get(inside)?.entry)} of ${HEAD_LOG} names a head of ${String(inside)} leaves, where no bundle of ${listing.log} ends`;
    findings.fail('heads_mismatch', agreed, detail);
  }
  if (beyond !== undefined && beyond > end.size) {
    const detail = `entry ${String(heads.get(beyond)?.entry)} of ${HEAD_LOG} names a head of ${String(beyond)} leaves, ${listing.log} has ${String(end.size)}`;
    findings.fail('log_truncated', end.size, detail);
  }
}

/** Judges the objects and locks that no bundle names, when all bundles were read. */
export async function checkLeftovers(run: LogRun, end: LogEnd): Promise<void> {
  const { reader, listing, findings } = run;
  for (const key of listing.payloads) {
    await readObject(reader, key, null, findings);
    judgeLeftover(run, end, { name: key, place: placeOf(key) });
  }
  for (const key of listing.tiles.keys()) judgeLeftover(run, end, { name: key, place: placeOf(key) });
  for await (const remains of reader.remains(listing.log, findings)) judgeLeftover(run, end, remains);
}

function placeOf(key: string): RemainsPlace | undefined {
  const { folder, position } = parseKey(key) ?? {};
  return folder === undefined || position === undefined
    ? undefined
    : { folder, first: position, last: position };
}

/**
 * A writer that dies leaves payloads that no bundle names, locks without objects, and empty folders, at the start index it
 * was about to seal, or at a tile of the bundle that it had just sealed. Beyond nothing can lie, unless the archive grew while
 * it was read.
 */
function judgeLeftover({ listing, findings }: LogRun, end: LogEnd, { name, place }: Remains): void {
  const { folder, first, last } = place ?? { folder: 'genesis', first: 0, last: 0 };
  const hasGrown =
    listing.bundles.some((start) => start >= end.size) || listing.checkpoints.some((size) => size > end.size);
  const isPlace = (position: number) => first <= position && position <= last;
  // Tiles are put after the bundle that makes them full, and before its checkpoint.
  const covered = listing.early.checkpoints.at(-1) ?? 0;
  const isInterrupted =
    folder === 'tile'
      ? first <= end.size && last > covered
      : isPlace(end.size) || listing.early.bundles.some(isPlace);
  if (isInterrupted) {
    findings.notice('leftover', null, `${name} was left by an interrupted write`);
  } else if (last < end.size) {
    findings.fail('file_unexpected', null, name);
  } else if (!hasGrown) {
    findings.fail('bundle_missing', end.size, `${name} was written after leaves that are not there`);
  }
}

/**
 * A log without objects never was one: the writer that began it died before its genesis. It leaves the folder of the log
 * or the lock of the genesis; anything else was put there by somebody else.
 */
export async function checkUnbegunLog({ reader, listing, findings }: LogObjects): Promise<void> {
  for await (const { name, place } of reader.remains(listing.log, findings)) {
    if (place === undefined)
      findings.notice('leftover', null, `${name} was left by an interrupted creation of a log`);
    else findings.fail('file_unexpected', null, name);
  }
}
