/**
 * Compares heads that were kept elsewhere with an archive or a package. The holder of the key can cut a log back or
 * rebuild it, and sealing alone cannot show that; a head kept elsewhere can. Reads at most a few bundles per head: the
 * header of each bundle has the frontier at its end, which verification has recomputed.
 */
import { BundleHeader } from '../../schemas/bundle.ts';
import { decodeBundle } from '../chain/bundle-bytes.ts';
import type { Checkpoint } from '../chain/checkpoint.ts';
import { isOfOtherKey, openCheckpointOf, type KeyHistory } from '../chain/key-history.ts';
import { bundleKey, checkpointKey } from '../chain/layout.ts';
import { appendLeaves, emptyRoot, frontierRoot, leafHash, type Frontier } from '../chain/merkle.ts';
import type { ArchiveListing } from './archive-listing.ts';
import type { ArchiveReader } from './archive-reader.ts';
import type { Findings, KeptCheckpoint } from './report.ts';
import { parseCanonical } from './shape.ts';

/** A log of the archive: its keys, as verification followed them, and the numbers of its objects. */
export interface KeptLog {
  readonly reader: ArchiveReader;
  readonly log: string;
  readonly keys: KeyHistory;
  /** Start indexes of its bundles, rising. */
  readonly bundles: readonly number[];
  /** Sizes of its checkpoints, rising. */
  readonly checkpoints: readonly number[];
}

/** A kept head whose signature is good. */
interface KeptHead extends Checkpoint {
  readonly name: string;
}

interface HeaderAndLeaves {
  readonly header: BundleHeader;
  readonly leafTexts: readonly string[];
}

/**
 * Each kept head must be a good signed note of a log in the archive, its size must not exceed the log, and its root must
 * be the root of the leaves at its size. A mismatch is reported at the largest kept size that agrees.
 */
export async function checkKeptCheckpoints(
  logs: readonly KeptLog[],
  kept: readonly KeptCheckpoint[] = [],
  findings: Findings,
): Promise<void> {
  if (kept.length === 0) return;
  const opened = openKeptHeads(
    kept,
    logs.map(({ keys }) => keys),
    findings,
  );
  for (const log of logs) {
    const heads = opened
      .filter(({ origin }) => origin === log.keys[0].key.name)
      .toSorted((left, right) => left.tree_size - right.tree_size);
    await checkHeads(log, heads, findings);
  }
}

/** The one head that a package has of its log. `isSigned`: the checkpoint inside the package is good. */
export interface PackageHead extends Checkpoint {
  readonly keys: KeyHistory;
  readonly isSigned: boolean;
}

/** A kept head of the package's size must be the package's head. One of another size gets a notice: nothing compares. */
export function compareKeptCheckpoints(
  head: PackageHead,
  kept: readonly KeptCheckpoint[] = [],
  findings: Findings,
): void {
  for (const { name, tree_size, root_hash } of openKeptHeads(kept, [head.keys], findings)) {
    if (tree_size !== head.tree_size) {
      const detail = `${name} is of ${String(tree_size)} leaves, the package of ${String(head.tree_size)}; a package holds no proof that one extends the other`;
      findings.notice('kept_checkpoint_not_comparable', null, detail);
    } else if (root_hash !== head.root_hash) {
      const code = head.isSigned ? 'log_equivocation' : 'kept_checkpoint_mismatch';
      findings.fail(code, 0, `${name} signs root ${root_hash}, the package ${head.root_hash}`);
    }
  }
}

function openKeptHeads(
  kept: readonly KeptCheckpoint[],
  histories: readonly KeyHistory[],
  findings: Findings,
): KeptHead[] {
  return kept.flatMap(({ name, note }) => {
    const opened = histories.map((keys) => openCheckpointOf(keys, note));
    const checkpoint = opened.find((one) => one !== undefined);
    if (checkpoint !== undefined) return [{ ...checkpoint, name }];
    if (histories.some((keys) => isOfOtherKey(keys, note))) {
      findings.fail(
        'kept_checkpoint_other_key',
        null,
        `${name} was not signed by the key of this log at its size`,
      );
    } else {
      findings.fail('kept_checkpoint_invalid', null, `${name} is not a signed head of this log`);
    }
    return [];
  });
}

/** The logs of an archive whose keys are known; the others have failed already. */
export function keptLogs(
  { reader, logs }: ArchiveListing,
  keysByLog: ReadonlyMap<string, KeyHistory | undefined>,
): KeptLog[] {
  return logs.flatMap(({ log, early: { bundles, checkpoints } }) => {
    const keys = keysByLog.get(log);
    return keys === undefined ? [] : [{ reader, log, keys, bundles, checkpoints }];
  });
}

async function checkHeads(log: KeptLog, heads: readonly KeptHead[], findings: Findings): Promise<void> {
  const end = await endOf(log);
  const agreed: number[] = [];
  for (const head of heads) {
    if (end !== undefined && head.tree_size > end) {
      const detail = `${head.name} is a head of ${String(head.tree_size)} leaves, ${log.log} has ${String(end)}`;
      findings.fail('log_truncated', end, detail);
      continue;
    }
    const root = end === undefined ? undefined : await rootAt(log, head.tree_size);
    if (root === undefined) {
      const detail = `${head.name}: bundles before ${String(head.tree_size)} do not read`;
      findings.notice('kept_checkpoint_not_comparable', null, detail);
    } else if (root === head.root_hash) {
      agreed.push(head.tree_size);
    } else {
      const isConflicting = await hasConflictingSignature(log, head, heads);
      const detail = `${head.name} signs root ${head.root_hash} at size ${String(head.tree_size)}, the leaves make ${root}`;
      const code = isConflicting ? 'log_equivocation' : 'kept_checkpoint_mismatch';
      findings.fail(code, agreed.findLast((size) => size < head.tree_size) ?? 0, detail);
    }
  }
}

/** Tree size of the archive; undefined where its newest bundle does not read. */
async function endOf(log: KeptLog): Promise<number | undefined> {
  const last = log.bundles.at(-1);
  return last === undefined ? 0 : (await readHeaderAndLeaves(log, last))?.header.tree_size;
}

/** Root of the leaves at a size, hex; undefined where the bundles around it do not read. */
async function rootAt(log: KeptLog, size: number): Promise<string | undefined> {
  if (size === 0) return hex(emptyRoot());
  const position = log.bundles.findLastIndex((start) => start < size);
  const start = log.bundles[position];
  const bundle = start === undefined ? undefined : await readHeaderAndLeaves(log, start);
  const before = await frontierBefore(log, position);
  if (start === undefined || bundle === undefined || before === undefined) return undefined;
  if (size > start + bundle.leafTexts.length) return undefined;
  const hashes = bundle.leafTexts.slice(0, size - start).map((text) => leafHash(Buffer.from(text)));
  return hex(frontierRoot(appendLeaves(before, start, hashes)));
}

async function frontierBefore(log: KeptLog, position: number): Promise<Frontier | undefined> {
  const start = log.bundles[position];
  if (start === 0) return [];
  const previous = log.bundles[position - 1];
  const bundle = previous === undefined ? undefined : await readHeaderAndLeaves(log, previous);
  if (bundle === undefined || bundle.header.tree_size !== start) return undefined;
  return bundle.header.frontier.map((hash) => Buffer.from(hash, 'hex'));
}

/**
 * Whether the key of the log signed a head that contradicts a kept one: another root of that size, or a later head that
 * fits the leaves of the archive. Then the key was used for two histories, and the fault is not of the disk alone.
 */
async function hasConflictingSignature(
  log: KeptLog,
  kept: KeptHead,
  heads: readonly KeptHead[],
): Promise<boolean> {
  const isOther = ({ tree_size, root_hash }: Checkpoint) =>
    tree_size === kept.tree_size && root_hash !== kept.root_hash;
  if (heads.some(isOther)) return true;
  for (const size of log.checkpoints.filter((each) => each >= kept.tree_size)) {
    const note = await log.reader.read(checkpointKey(log.log, size));
    const checkpoint = note && openCheckpointOf(log.keys, note.bytes.toString('utf8'));
    if (checkpoint?.tree_size !== size) continue;
    if (isOther(checkpoint) || checkpoint.root_hash === (await rootAt(log, size))) return true;
  }
  return false;
}

/** Undefined where the bundle is not there, or does not read. */
export async function readHeaderAndLeaves(
  log: Pick<KeptLog, 'reader' | 'log'>,
  start: number,
): Promise<HeaderAndLeaves | undefined> {
  const object = await log.reader.read(bundleKey(log.log, start));
  if (object === undefined) return undefined;
  try {
    const { headerText, leafTexts } = decodeBundle(object.bytes);
    const header = parseCanonical(BundleHeader, headerText);
    return header?.start_index === start ? { header, leafTexts } : undefined;
  } catch {
    return undefined;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
