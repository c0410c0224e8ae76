/**
 * Verifies an archive from its objects alone. In: a folder or another source of objects. Out: a report. Holds the names
 * of all objects and one bundle with its payloads in memory. docs/formats/archive.md states the rules quoted here.
 */
import { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { isHeaderSigned } from '../chain/bundle-signature.ts';
import { openCheckpoint } from '../chain/checkpoint.ts';
import { bundleKey, checkpointKey, genesisKey, parseKey, type Place } from '../chain/layout.ts';
import { chainStart, frontierRoot } from '../chain/merkle.ts';
import { parseVkey, type VerifierKey } from '../chain/note.ts';
import { listArchive, readObject, type ArchiveFiles, type LogFiles } from './archive-files.ts';
import type { ArchiveSource } from './archive-source.ts';
import { lookAheadInThreads, type LookAhead, type OpenLookAhead } from './bundle-threads.ts';
import { fitsPlace, openBundle, type OpenBundle } from './bundle.ts';
import { openFolder } from './folder.ts';
import { checkKeptCheckpoints } from './kept-checkpoint.ts';
import { LINE_READERS } from './line-readers.ts';
import { checkPayload, checkPayloadRefs, expectNothing, payloadName } from './payload.ts';
import {
  buildReport,
  checkPin,
  createFindings,
  NOTHING_ESTABLISHED,
  type Findings,
  type VerifyOptions,
} from './report.ts';
import { parseCanonical } from './shape.ts';
import type { SoundBundle } from './sound-bundle.ts';
import { nameSubstitutes } from './substitutes.ts';
import { countHashes, growTree, type HashedBundle, type TreeState } from './tree.ts';

export interface VerifyArchiveOptions extends VerifyOptions {
  readonly dir: string;
  /** Who checks bundles before their turn; what is found is the same. By default threads, where a log is large. */
  readonly lookAhead?: OpenLookAhead | undefined;
}

export interface VerifySourceOptions extends VerifyOptions {
  /** Who checks the bundles of a log before their turn, if anybody does. */
  readonly lookAhead?: ((log: string, starts: readonly number[]) => LookAhead | undefined) | undefined;
}

/** A bundle whose lines were read. */
interface ReadBundle extends HashedBundle {
  /** Checks the payload objects. */
  checkPayloads(): Promise<void>;
}

/** What all checks of one log share. */
interface LogRun {
  readonly files: ArchiveFiles;
  readonly listed: LogFiles;
  /** Undefined if the genesis is unreadable; then neither origin nor signatures can be judged. */
  readonly origin: string | undefined;
  readonly key: VerifierKey | undefined;
  readonly findings: Findings;
}

interface LogVerdict {
  readonly tree: TreeState | undefined;
  readonly signedSize: number;
  readonly isPinned: boolean;
}

/** Where reading the bundles of a log ended. */
interface End {
  readonly tree: TreeState | undefined;
  readonly size: number;
  /** Size of the last checkpoint that is good and fits. */
  readonly signedSize: number;
  /** Sizes of checkpoints at which no bundle ends. */
  readonly strayCheckpoints: readonly number[];
}

/** Verifies a folder. Rejects only if the file system does; whatever the files hold becomes a failure in the report. */
export function verifyArchive({
  dir,
  lookAhead = lookAheadInThreads,
  ...options
}: VerifyArchiveOptions): Promise<VerificationReport> {
  return verifySource(openFolder(dir), {
    ...options,
    lookAhead: (log, starts) => lookAhead(starts.map((start) => ({ dir, log, start }))),
  });
}

/** Rejects only if the source does; whatever it holds becomes a failure in the report. */
export async function verifySource(
  source: ArchiveSource,
  options: VerifySourceOptions = {},
): Promise<VerificationReport> {
  const findings = createFindings();
  const files = await listArchive(source, options, findings);
  const logs = files.logs.filter(hasObjects);
  if (logs.length === 0) return reportNothing(files);
  const verdicts: LogVerdict[] = [];
  for (const listed of logs) verdicts.push(await verifyLog(files, listed, options, findings));
  await nameSubstitutes(files, findings);
  await checkKeptCheckpoints(files, options.keptCheckpoints, findings);
  const trees = verdicts.map(({ tree }) => tree).filter((tree) => tree !== undefined);
  const isKnown = trees.length === verdicts.length;
  const [only] = trees;
  return buildReport(findings, {
    kind: 'archive',
    tree_size: isKnown ? trees.reduce((sum, { size }) => sum + size, 0) : null,
    // Several logs have no common root.
    root_hash: isKnown && only !== undefined && trees.length === 1 ? rootHex(only) : null,
    signed_tree_size: verdicts.reduce((sum, { signedSize }) => sum + signedSize, 0),
    isPinned: verdicts.every(({ isPinned }) => isPinned),
    completeness: 'not_assessed',
    disclosure: 'facts_and_content',
  });
}

async function verifyLog(
  files: ArchiveFiles,
  listed: LogFiles,
  options: VerifySourceOptions,
  findings: Findings,
): Promise<LogVerdict> {
  const genesis = await readGenesis(files, listed.log, findings);
  const run: LogRun = {
    files,
    listed,
    origin: genesis?.origin,
    key: genesis && parseVkey(genesis.vkey),
    findings,
  };
  const isPinned = genesis !== undefined && checkPin(findings, genesis.vkey, options);
  const ahead = options.lookAhead?.(listed.log, listed.early.bundles);
  const end = await verifyBundles(run, options, ahead).finally(() => ahead?.close());
  await settle(run, end);
  if (isPinned && end.size > 0 && end.signedSize === 0) {
    findings.fail('checkpoint_missing', 0, `the pinned key signed nothing of ${listed.log}`);
  }
  return { tree: end.tree, signedSize: end.signedSize, isPinned };
}

/** All bundles in order, each with its payloads and the checkpoint at its end. */
async function verifyBundles(
  run: LogRun,
  { onProgress }: VerifyOptions,
  ahead: LookAhead | undefined,
): Promise<End> {
  const { bundles, checkpoints } = run.listed.early;
  const unmatched = new Set(checkpoints);
  let tree: TreeState | undefined = { size: 0, frontier: [], chainHead: chainStart() };
  let size = 0;
  let signedSize = 0;
  for (const [position, start] of bundles.entries()) {
    if (start !== size) {
      reportGap(run, size, start);
      forget(unmatched, size, start);
      tree = undefined;
    }
    const sound = await ahead?.next();
    const bundle = (sound && (await acceptBundle(run, start, sound))) ?? (await readBundle(run, start));
    if (bundle === undefined) {
      tree = undefined;
      size = bundles[position + 1] ?? start;
      forget(unmatched, start, size);
      continue;
    }
    tree = growTree(tree, bundle, run.findings);
    await bundle.checkPayloads();
    size = bundle.header.tree_size;
    if (unmatched.delete(size) && (await verifyCheckpoint(run, size, tree, signedSize))) signedSize = size;
    // Last, because whatever else is wrong with a header says more of the bundle than that nobody signed it.
    checkHeader(run, bundle);
    onProgress?.({ step: `leaves of ${run.listed.log}`, done: size, total: checkpoints.at(-1) });
  }
  return { tree, size, signedSize, strayCheckpoints: [...unmatched] };
}

function reportNothing({ source, hasManifest }: ArchiveFiles): VerificationReport {
  const findings = createFindings();
  const detail = hasManifest
    ? 'this is an unpacked evidence package; verify the ZIP, or pack the files again'
    : `there is no log below this ${source.kind}`;
  findings.fail('nothing_to_verify', null, detail);
  return buildReport(findings, { ...NOTHING_ESTABLISHED, kind: 'archive' });
}

/** A log whose creation was interrupted has folders and no objects; it never was one. */
function hasObjects({ hasGenesis, early, payloads }: LogFiles): boolean {
  return hasGenesis || early.bundles.length > 0 || early.checkpoints.length > 0 || payloads.size > 0;
}

function reportGap({ listed, findings }: LogRun, size: number, start: number): void {
  const detail = `${listed.log} has no bundle at ${String(size)}, the next is at ${String(start)}`;
  findings.fail('bundle_missing', Math.min(start, size), detail);
}

/** Checkpoints inside a range that could not be read have nothing to be compared with, and are no failure of their own. */
function forget(unmatched: Set<number>, after: number, upTo: number): void {
  for (const size of unmatched) if (size > after && size <= upTo) unmatched.delete(size);
}

/** SPEC (archive.md): canonical JSON and a newline; the vkey's name is the origin. */
async function readGenesis(
  files: ArchiveFiles,
  log: string,
  findings: Findings,
): Promise<LogGenesis | undefined> {
  const object = await readObject(files, genesisKey(log), null, findings);
  const text = object?.bytes.toString('utf8') ?? '';
  const genesis = text.endsWith('\n') ? parseCanonical(LogGenesis, text.slice(0, -1)) : undefined;
  if (genesis !== undefined && parseVkey(genesis.vkey)?.name === genesis.origin) return genesis;
  findings.fail('genesis_malformed', null, genesisKey(log));
  return undefined;
}

async function readBundle(run: LogRun, start: number): Promise<ReadBundle | undefined> {
  const { files, listed, origin, findings } = run;
  const object = await readObject(files, bundleKey(listed.log, start), start, findings);
  const bundle = object && (await openBundle(object.bytes, { start, origin }, LINE_READERS, findings));
  return bundle && { ...bundle, checkPayloads: () => verifyPayloads(run, bundle) };
}

/**
 * A bundle that was checked ahead, if its header is one and belongs here; else it is judged from its file again. What
 * is left to check is what lies outside of the objects themselves: their lock files.
 */
async function acceptBundle(
  { files, listed, origin, findings }: LogRun,
  start: number,
  { object, headerLine, leafHashes }: SoundBundle,
): Promise<ReadBundle | undefined> {
  const header = parseCanonical(BundleHeader, Buffer.from(headerLine));
  if (header === undefined || !fitsPlace(header, countHashes(leafHashes), { start, origin }))
    return undefined;
  await files.source.checkLock(bundleKey(listed.log, start), object, start, findings);
  const checkPayloads = async (): Promise<void> => {
    for (const { key, sha256, size_bytes: size } of header.payloads) {
      await files.source.checkLock(key, { sha256, size }, null, findings);
      listed.payloads.delete(key);
    }
  };
  return { header, leafHashes, checkPayloads };
}

/**
 * SPEC (archive.md): the key of the genesis signs each header. The newest bundle may lie beyond all checkpoints, and
 * `next_offset`, `integrated_at` and `duplicate_count` outside the tree: for these the signature alone speaks.
 */
function checkHeader({ listed, key, findings }: LogRun, { header }: HashedBundle): void {
  if (key === undefined || isHeaderSigned(header, key)) return;
  const name = bundleKey(listed.log, header.start_index);
  findings.fail(
    'bundle_unsigned',
    header.start_index,
    `the key of the log did not sign the header of ${name}`,
  );
}

async function verifyPayloads({ files, listed, findings }: LogRun, bundle: OpenBundle): Promise<void> {
  checkPayloadRefs(listed.log, bundle, findings);
  for (const ref of bundle.header.payloads) {
    const lines = bundle.expected.get(payloadName(ref.kind, ref.retention_class)) ?? expectNothing();
    const first = lines.indexes[0] ?? bundle.header.start_index;
    const object = parseKey(ref.key) && (await readObject(files, ref.key, null, findings));
    listed.payloads.delete(ref.key);
    if (object === undefined)
      findings.fail('payload_missing', first, `${ref.key}, and no sealed receipt says it was purged`);
    else await checkPayload(ref, object, lines, findings);
  }
}

/**
 * SPEC (archive.md): a signed note by the key of the genesis, its origin that of the genesis, its size that of its
 * name. If the root differs, some leaf since the last good checkpoint is not the leaf that was signed.
 */
async function verifyCheckpoint(
  { files, listed, key, findings }: LogRun,
  size: number,
  tree: TreeState | undefined,
  signedSize: number,
): Promise<boolean> {
  const name = checkpointKey(listed.log, size);
  const object = await readObject(files, name, null, findings);
  if (key === undefined) return false;
  const note = object?.bytes.toString('utf8') ?? '';
  const checkpoint = openCheckpoint(note, key);
  if (checkpoint?.tree_size !== size || !Buffer.from(note).equals(object?.bytes ?? Buffer.of())) {
    findings.fail('checkpoint_invalid', null, name);
    return false;
  }
  if (tree === undefined) return false;
  if (checkpoint.root_hash === rootHex(tree)) return true;
  const detail = `${name} signs root ${checkpoint.root_hash}, the leaves make ${rootHex(tree)}`;
  findings.fail('checkpoint_root_mismatch', signedSize, detail);
  return false;
}

/** Judges what is left over when all bundles were read. */
async function settle(run: LogRun, end: End): Promise<void> {
  const { files, listed, findings } = run;
  checkCheckpointCover(run, end);
  for (const key of listed.payloads) {
    await readObject(files, key, null, findings);
    judgeLeftover(run, end, key, parseKey(key));
  }
  for await (const { name, place } of files.source.loneLocks(listed.log, findings)) {
    judgeLeftover(run, end, name, place);
  }
}

/**
 * SPEC (archive.md): the writer publishes a checkpoint where each bundle ends, before it creates the next one. So at most
 * the newest bundle may be without, and no checkpoint may lie beyond or between the bundles.
 */
function checkCheckpointCover({ listed, findings }: LogRun, end: End): void {
  for (const size of end.strayCheckpoints) {
    if (size > end.size) {
      findings.fail(
        'bundle_missing',
        end.size,
        `a head of ${String(size)} leaves was signed, the bundles of ${listed.log} end at ${String(end.size)}`,
      );
    } else {
      findings.fail('checkpoint_invalid', null, `${checkpointKey(listed.log, size)} is at no bundle's end`);
    }
  }
  const present = new Set(listed.checkpoints);
  const [, ...ends] = [...listed.early.bundles, end.size];
  for (const size of ends) {
    if (present.has(size)) continue;
    const isTail = size === end.size;
    const detail = `${listed.log} has no checkpoint of ${String(size)} leaves`;
    if (isTail)
      findings.notice(
        'unpublished_tail',
        listed.early.bundles.at(-1) ?? 0,
        `${detail}: the newest bundle is not signed yet`,
      );
    else findings.fail('checkpoint_missing', null, detail);
  }
}

/**
 * A writer that dies leaves payloads that no bundle names, and locks without objects, where it was about to seal. Past
 * that place nothing can lie, unless the archive grew while it was read.
 */
function judgeLeftover({ listed, findings }: LogRun, end: End, name: string, place: Place | undefined): void {
  const position = place?.position ?? 0;
  const hasGrown =
    listed.bundles.some((start) => start >= end.size) || listed.checkpoints.some((size) => size > end.size);
  if (position === end.size || listed.early.bundles.includes(position)) {
    findings.notice('leftover', null, `${name} was left by an interrupted write`);
  } else if (position < end.size) {
    findings.fail('file_unexpected', null, name);
  } else if (!hasGrown) {
    findings.fail('bundle_missing', end.size, `${name} was written after leaves that are not there`);
  }
}

function rootHex({ frontier }: TreeState): string {
  return Buffer.from(frontierRoot(frontier)).toString('hex');
}
