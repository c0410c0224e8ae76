/** Verifies one log of an archive: genesis, bundles in order, checkpoints, and the objects that are left over. */
import { chainStart } from '../chain/merkle.ts';
import type { KeyHistory } from '../chain/key-history.ts';
import { TileRows } from '../chain/tile.ts';
import { readObject } from './archive-reader.ts';
import {
  checkBundleLock,
  checkLineBytes,
  checkPayloads,
  reportHeader,
  takeBundle,
  type KeptBundle,
} from './bundle-checks.ts';
import { checkChangeLeaf, checkFirstLeaf } from './change-checks.ts';
import type { LookAhead } from './bundle-threads.ts';
import { noFrames, type FrameCounts } from './frame-lines.ts';
import { checkPromises, readGenesis, type SealingTimes } from './genesis-checks.ts';
import type { FoundLog } from './head-log.ts';
import { KeyWalk } from './key-walk.ts';
import {
  checkCheckpointCover,
  checkLeftovers,
  checkNamedHead,
  checkUnreachedHeads,
  isCheckpointGood,
} from './log-checks.ts';
import type { LogEnd, LogObjects, LogRun } from './log-run.ts';
import { checkPin, type VerifyOptions } from './report.ts';
import { checkTiles } from './tile-checks.ts';
import { growTree, type TreeState } from './tree.ts';

export interface VerifyReaderOptions extends VerifyOptions {
  /** Opens the checks of the bundles of a log before their turn, where these are worth their threads. */
  readonly lookAhead?: ((log: string, starts: readonly number[]) => LookAhead | undefined) | undefined;
}

export interface LogVerdict {
  readonly tree: TreeState | undefined;
  readonly signedSize: number;
  readonly isPinned: boolean;
  readonly found: FoundLog;
  readonly frames: FrameCounts;
  /** Undefined where the genesis does not read. */
  readonly keys: KeyHistory | undefined;
}

/** How far a log was verified. `verifyBundles` owns it; nothing else keeps a reference. */
interface LogProgress extends SealingTimes {
  /** Undefined where the last leaves could not be read. */
  tree: TreeState | undefined;
  size: number;
  signedSize: number;
  /** Tiles of the leaves that were read. */
  tiles: TileRows;
  /** Sizes of checkpoints that no bundle has reached yet. */
  readonly pendingCheckpoints: Set<number>;
  /** Sizes that the head log names and that no bundle has reached yet. */
  readonly pendingHeads: Set<number>;
  /** Largest size at which leaves and head log agree. */
  agreed: number;
}

export async function verifyLog(objects: LogObjects, options: VerifyReaderOptions): Promise<LogVerdict> {
  const found = await readGenesis(objects);
  if (found === 'other_format') return unread(objects);
  const genesis = found?.genesis;
  const keys = new KeyWalk(genesis);
  const counts = noFrames();
  const opening = { findKeys: options.findKeys, counts };
  const run: LogRun = { ...objects, found, origin: genesis?.origin, keys, opening };
  const end = await verifyBundles(run, options);
  const vkeys = keys.pinnable();
  // The genesis of each other log vouches for the key of the head log.
  const isPinned =
    genesis !== undefined && objects.onEntry === undefined && checkPin(objects.findings, vkeys, options);
  checkCheckpointCover(run, end);
  await checkLeftovers(run, end);
  if (isPinned) checkSignedAtAll(run, end);
  const { tree, signedSize, integratedAt } = end;
  const log = { log: objects.listing.log, genesis, integratedAt, vkeys };
  return { tree, signedSize, isPinned, found: log, frames: counts, keys: keys.known() };
}

/** The verdict on a log in another version of the format, of which nothing was read. */
function unread({ listing: { log } }: LogObjects): LogVerdict {
  const found = { log, genesis: undefined, integratedAt: undefined, vkeys: [] };
  return {
    tree: undefined,
    signedSize: 0,
    isPinned: false,
    found,
    frames: noFrames(),
    keys: undefined,
  };
}

/** Entries that the key signed and that all read; a malformed one was reported. */
function handOver({ onEntry }: LogRun, { header, entries = [] }: KeptBundle): void {
  if (entries.length !== header.leaf_count) return;
  entries.forEach((entry, position) => onEntry?.(entry, header.start_index + position));
}

/** All bundles in order, each with its payloads and the checkpoint at its end. */
async function verifyBundles(run: LogRun, options: VerifyReaderOptions): Promise<LogEnd> {
  const { log, early } = run.listing;
  // Threads read leaves of records alone.
  const ahead = run.onEntry === undefined ? options.lookAhead?.(log, early.bundles) : undefined;
  const progress = startOf(run);
  try {
    for (const [position, start] of early.bundles.entries()) {
      if (start !== progress.size) await reportGap(run, progress, start);
      const bundle = await takeBundle(run, start, await ahead?.next());
      if (bundle === undefined) {
        await skipBundle(run, progress, { start, nextStart: early.bundles[position + 1] ?? start });
        continue;
      }
      await verifyBundle(run, progress, bundle);
      options.onProgress?.({
        step: `leaves of ${log}`,
        done: progress.size,
        total: early.checkpoints.at(-1),
      });
    }
  } finally {
    await ahead?.close();
  }
  const { tree, size, signedSize, integratedAt, pendingCheckpoints } = progress;
  const end = { tree, size, signedSize, integratedAt, strayCheckpoints: [...pendingCheckpoints] };
  checkUnreachedHeads(run, end, { sizes: progress.pendingHeads, agreed: progress.agreed });
  return end;
}

async function verifyBundle(run: LogRun, progress: LogProgress, bundle: KeptBundle): Promise<void> {
  const failuresBefore = run.findings.failures().length;
  progress.tree = growTree(progress.tree, bundle, run.findings);
  const isGrown = run.findings.failures().length === failuresBefore;
  const verdict = run.keys.take(bundle.header);
  await checkPayloads(run, bundle);
  checkBundleLock(run, bundle);
  const { tree_size: size, lock } = bundle.header;
  progress.size = size;
  const isPublished = progress.pendingCheckpoints.delete(size);
  if (isPublished && (await isCheckpointGood(run, { ...progress, lock }, size))) progress.signedSize = size;
  const isNamed = progress.pendingHeads.delete(size);
  if (isNamed && checkNamedHead(run, { ...progress, isPublished }, size)) progress.agreed = size;
  // Leaves that are not those of the log make no tile of it.
  if (isGrown) await checkTiles(run, progress.tiles, bundle);
  else await skipTiles(run, progress, { after: bundle.header.start_index, upTo: size });
  // The signature comes last: every other failure of the header says more about the bundle.
  checkChangeLeaf(run, bundle.header, bundle.statement);
  checkFirstLeaf(run, bundle.header, bundle.statement);
  if (reportHeader(run, bundle.header, verdict)) {
    checkPromises(run, progress, bundle);
    handOver(run, bundle);
  }
  if (run.findings.failures().length === failuresBefore) checkLineBytes(run, bundle);
}

function startOf({ listing, heads }: LogRun): LogProgress {
  return {
    tree: { size: 0, frontier: [], chainHead: chainStart() },
    size: 0,
    signedSize: 0,
    integratedAt: undefined,
    namedOther: false,
    pendingCheckpoints: new Set(listing.early.checkpoints),
    pendingHeads: new Set(heads.keys()),
    agreed: 0,
    tiles: new TileRows(0),
  };
}

async function reportGap(run: LogRun, progress: LogProgress, start: number): Promise<void> {
  const { listing, findings } = run;
  const { size } = progress;
  const detail = `${listing.log} has no bundle at ${String(size)}, the next is at ${String(start)}`;
  findings.fail('bundle_missing', Math.min(start, size), detail);
  dropCheckpoints(progress, size, start);
  run.keys.skip({ from: size, upTo: start });
  progress.tree = undefined;
  await skipTiles(run, progress, { after: size, upTo: start });
}

/** The bundle at `start` does not read: verification goes on at the next one. */
async function skipBundle(
  run: LogRun,
  progress: LogProgress,
  { start, nextStart }: { readonly start: number; readonly nextStart: number },
): Promise<void> {
  progress.tree = undefined;
  progress.size = nextStart;
  run.keys.skip({ from: start, upTo: nextStart });
  await skipTiles(run, progress, { after: start, upTo: nextStart });
  dropCheckpoints(progress, start, nextStart);
}

/** Tiles that end inside a range of unread leaves cannot be compared with anything. Only how they are kept is judged. */
async function skipTiles(
  { reader, listing, findings }: LogRun,
  progress: LogProgress,
  { after, upTo }: { readonly after: number; readonly upTo: number },
): Promise<void> {
  progress.tiles = new TileRows(upTo);
  for (const [key, end] of listing.tiles) {
    if (end <= after || end > upTo) continue;
    await readObject(reader, key, null, findings);
    listing.tiles.delete(key);
  }
}

/** Heads inside a range of unread leaves cannot be compared with anything. They are not a failure besides. */
function dropCheckpoints(
  { pendingCheckpoints, pendingHeads }: LogProgress,
  after: number,
  upTo: number,
): void {
  for (const sizes of [pendingCheckpoints, pendingHeads])
    for (const size of sizes) if (size > after && size <= upTo) sizes.delete(size);
}

function checkSignedAtAll({ listing, findings }: LogRun, { size, signedSize }: LogEnd): void {
  if (size === 0 || signedSize > 0) return;
  findings.fail('checkpoint_missing', 0, `the pinned key signed nothing of ${listing.log}`);
}
