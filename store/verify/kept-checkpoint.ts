/**
 * Heads that somebody kept, held against an archive or a package beside its own checks. Sealing alone cannot show that
 * a log was cut back or rebuilt by whoever holds its key; a head kept elsewhere can. Reads at most a few bundles per
 * head: the frontier before a bundle stands in the header of the one before, which verification has recomputed.
 */
import { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { decodeBundle } from '../chain/bundle.ts';
import { openCheckpoint, parseCheckpoint, type Checkpoint } from '../chain/checkpoint.ts';
import { bundleKey, checkpointKey, genesisKey } from '../chain/layout.ts';
import { appendLeaves, emptyRoot, frontierRoot, leafHash, type Frontier } from '../chain/merkle.ts';
import { parseNote, parseVkey, type VerifierKey } from '../chain/note.ts';
import type { ArchiveFiles } from './archive-files.ts';
import type { ArchiveSource } from './archive-source.ts';
import type { Findings, KeptCheckpoint } from './report.ts';
import { parseCanonical } from './shape.ts';

/** A log of the archive as its genesis and the names of its objects tell it. */
export interface KeptLog {
  readonly source: ArchiveSource;
  readonly log: string;
  readonly key: VerifierKey;
  /** First indexes of its bundles, rising. */
  readonly bundles: readonly number[];
  /** Sizes of its checkpoints, rising. */
  readonly checkpoints: readonly number[];
}

interface OpenKept extends Checkpoint {
  readonly name: string;
}

interface ReadBundle {
  readonly header: BundleHeader;
  readonly leafTexts: readonly string[];
}

/**
 * Each kept head must be a good signed note of a log that is here, of no more leaves than there are, and its root must
 * be what the leaves make at its size. A head that differs is named by the largest kept size that agrees.
 */
export async function checkKeptCheckpoints(
  files: ArchiveFiles,
  kept: readonly KeptCheckpoint[] = [],
  findings: Findings,
): Promise<void> {
  if (kept.length === 0) return;
  const logs = await readLogs(files);
  const opened = openAll(
    kept,
    logs.map(({ key }) => key),
    findings,
  );
  for (const log of logs) {
    const heads = opened
      .filter(({ origin }) => origin === log.key.name)
      .toSorted((left, right) => left.tree_size - right.tree_size);
    await checkHeads(log, heads, findings);
  }
}

/** What a package says of its log: one head. `isSigned` tells whether its own checkpoint was found good. */
export interface PackageHead extends Checkpoint {
  readonly key: VerifierKey;
  readonly isSigned: boolean;
}

/** Heads of the size of the package must be its head; one of another size cannot be compared, and that is said. */
export function compareKeptCheckpoints(
  head: PackageHead,
  kept: readonly KeptCheckpoint[] = [],
  findings: Findings,
): void {
  for (const { name, tree_size, root_hash } of openAll(kept, [head.key], findings)) {
    if (tree_size !== head.tree_size) {
      const detail = `${name} is of ${String(tree_size)} leaves, the package of ${String(head.tree_size)}; a package holds no proof that one extends the other`;
      findings.notice('kept_checkpoint_not_comparable', null, detail);
    } else if (root_hash !== head.root_hash) {
      const code = head.isSigned ? 'log_equivocation' : 'kept_checkpoint_mismatch';
      findings.fail(code, 0, `${name} signs root ${root_hash}, the package ${head.root_hash}`);
    }
  }
}

function openAll(
  kept: readonly KeptCheckpoint[],
  keys: readonly VerifierKey[],
  findings: Findings,
): OpenKept[] {
  return kept.flatMap(({ name, note }) => {
    const checkpoint = keys.map((key) => openCheckpoint(note, key)).find((opened) => opened !== undefined);
    if (checkpoint !== undefined) return [{ ...checkpoint, name }];
    if (keys.some((key) => isOfOtherKey(note, key))) {
      findings.fail('kept_checkpoint_other_key', null, `${name} was not signed by the key of this log`);
    } else {
      findings.fail('kept_checkpoint_invalid', null, `${name} is not a signed head of this log`);
    }
    return [];
  });
}

/** Whether a note is the head of a log of this name, and none of its signatures claims to be by this key. */
export function isOfOtherKey(note: string, key: VerifierKey): boolean {
  const parsed = parseNote(note);
  if (parsed === undefined || parseCheckpoint(parsed.text)?.origin !== key.name) return false;
  const named = parsed.signatures.filter(({ name }) => name === key.name);
  return named.length > 0 && named.every(({ keyId }) => keyId !== key.keyId);
}

/** Logs whose genesis reads; the others were named as broken before. */
export async function readLogs({ source, logs }: ArchiveFiles): Promise<KeptLog[]> {
  const known: KeptLog[] = [];
  for (const { log, early } of logs) {
    const text = (await source.read(genesisKey(log)))?.bytes.toString('utf8') ?? '';
    const genesis = text.endsWith('\n') ? parseCanonical(LogGenesis, text.slice(0, -1)) : undefined;
    const key = genesis && parseVkey(genesis.vkey);
    if (key !== undefined) known.push({ source, log, key, ...early });
  }
  return known;
}

async function checkHeads(log: KeptLog, heads: readonly OpenKept[], findings: Findings): Promise<void> {
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
      const isTwice = await vouchesOtherwise(log, head, heads);
      const detail = `${head.name} signs root ${head.root_hash} at size ${String(head.tree_size)}, the leaves make ${root}`;
      const code = isTwice ? 'log_equivocation' : 'kept_checkpoint_mismatch';
      findings.fail(code, agreed.findLast((size) => size < head.tree_size) ?? 0, detail);
    }
  }
}

/** Tree size of the archive; undefined where its newest bundle does not read. */
async function endOf(log: KeptLog): Promise<number | undefined> {
  const last = log.bundles.at(-1);
  return last === undefined ? 0 : (await readBundle(log, last))?.header.tree_size;
}

/** Root that the leaves make at a size, hex. */
async function rootAt(log: KeptLog, size: number): Promise<string | undefined> {
  if (size === 0) return hex(emptyRoot());
  const place = log.bundles.findLastIndex((start) => start < size);
  const start = log.bundles[place];
  const bundle = start === undefined ? undefined : await readBundle(log, start);
  const before = await frontierBefore(log, place);
  if (start === undefined || bundle === undefined || before === undefined) return undefined;
  if (size > start + bundle.leafTexts.length) return undefined;
  const hashes = bundle.leafTexts.slice(0, size - start).map((text) => leafHash(Buffer.from(text)));
  return hex(frontierRoot(appendLeaves(before, start, hashes)));
}

async function frontierBefore(log: KeptLog, place: number): Promise<Frontier | undefined> {
  const start = log.bundles[place];
  if (start === 0) return [];
  const previous = log.bundles[place - 1];
  const bundle = previous === undefined ? undefined : await readBundle(log, previous);
  if (bundle === undefined || bundle.header.tree_size !== start) return undefined;
  return bundle.header.frontier.map((hash) => Buffer.from(hash, 'hex'));
}

/**
 * Whether the key of the log signed, besides a kept head that differs, another root of that size, or a later head
 * that the leaves here do make: then it is the key that told two stories, not only the disk.
 */
async function vouchesOtherwise(log: KeptLog, kept: OpenKept, heads: readonly OpenKept[]): Promise<boolean> {
  const isOther = ({ tree_size, root_hash }: Checkpoint) =>
    tree_size === kept.tree_size && root_hash !== kept.root_hash;
  if (heads.some(isOther)) return true;
  for (const size of log.checkpoints.filter((each) => each >= kept.tree_size)) {
    const note = await log.source.read(checkpointKey(log.log, size));
    const checkpoint = note && openCheckpoint(note.bytes.toString('utf8'), log.key);
    if (checkpoint?.tree_size !== size) continue;
    if (isOther(checkpoint) || checkpoint.root_hash === (await rootAt(log, size))) return true;
  }
  return false;
}

async function readBundle(log: KeptLog, start: number): Promise<ReadBundle | undefined> {
  const object = await log.source.read(bundleKey(log.log, start));
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
