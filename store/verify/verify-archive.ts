/**
 * Verifies an archive from its objects alone. In: a folder or another reader of objects. Out: a report. Memory holds the
 * names of all objects and one bundle with its payloads. docs/formats/archive.md states the rules quoted here.
 */
import { HEAD_LOG } from '../../schemas/head-entry.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import type { ContinuingLog } from '../chain/continuation.ts';
import { listArchive, type ArchiveListing, type LogListing } from './archive-listing.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { lookAheadInThreads, type OpenLookAhead } from './bundle-threads.ts';
import { openFolderReader } from './folder-reader.ts';
import { addCounts, noFrames, type FrameCounts } from './frame-lines.ts';
import { HeadLogCheck, type FoundLog } from './head-log.ts';
import { checkUnbegunLog } from './log-checks.ts';
import { checkKeptCheckpoints, keptLogs } from './kept-checkpoint.ts';
import {
  buildReport,
  continuationsOf,
  createFindings,
  NOTHING_ESTABLISHED,
  type Established,
} from './report.ts';
import type { Findings, VerifyOptions } from './report.ts';
import { nameSubstitutes } from './substitutes.ts';
import { rootHex } from './tree.ts';
import { verifyLog, type LogVerdict, type VerifyReaderOptions } from './verify-log.ts';

interface VerifyArchiveOptions extends VerifyOptions {
  readonly dir: string;
  /** Opens the threads that check bundles before their turn. The report is the same without. @default large logs only */
  readonly lookAhead?: OpenLookAhead | undefined;
}

/** Verifies a folder. Rejects only where the file system does; a defect of the files becomes a failure in the report. */
export function verifyArchive({
  dir,
  lookAhead = lookAheadInThreads,
  ...options
}: VerifyArchiveOptions): Promise<VerificationReport> {
  return verifyReader(openFolderReader(dir), {
    ...options,
    lookAhead: (log, starts) => {
      const bundles = starts.map((start) => ({ dir, log, start }));
      return lookAhead(bundles, options.findKeys);
    },
  });
}

/** Rejects only where the reader does; a defect of the objects becomes a failure in the report. */
export async function verifyReader(
  reader: ArchiveReader,
  options: VerifyReaderOptions = {},
): Promise<VerificationReport> {
  const findings = createFindings();
  const listing = await listArchive(reader, options, findings);
  const logs = listing.logs.filter(hasObjects);
  if (logs.length === 0) return reportNothing(listing);
  for (const unbegun of listing.logs.filter((log) => !hasObjects(log)))
    await checkUnbegunLog({ reader, listing: unbegun, heads: new Map(), findings });
  const check = new HeadLogCheck(findings);
  const verdicts: LogVerdict[] = [];
  // The head log first: its entries say which heads the others must have.
  const heads = logs.find(({ log }) => log === HEAD_LOG);
  const objects = { reader, findings };
  const onEntry = check.add.bind(check);
  const headLog =
    heads && (await verifyLog({ ...objects, listing: heads, heads: new Map(), onEntry }, options));
  for (const listed of logs) {
    if (listed === heads) continue;
    const named = { ...objects, listing: listed, heads: check.headsOf(listed.log) };
    verdicts.push(await verifyLog(named, options));
  }
  const all = [...verdicts, ...(headLog === undefined ? [] : [headLog])];
  const found = all.map((verdict) => verdict.found);
  check.finish(found);
  checkPinsFound(findings, found, options);
  // The head log alone is evidence of no record.
  if (verdicts.length === 0 && findings.failures().length === 0)
    findings.fail('nothing_to_verify', null, `there is no log of records below this ${reader.kind}`);
  const kept = keptLogs(listing, new Map(all.map(({ found: { log }, keys }) => [log, keys])));
  await nameSubstitutes(kept, findings);
  await checkKeptCheckpoints(kept, options.keptCheckpoints, findings);
  await options.checkPrevious?.(continuingLogs(verdicts), findings);
  const head_log = headLog === undefined ? null : establishHeads(headLog, check);
  return buildReport(findings, { ...establish(verdicts), head_log });
}

function continuingLogs(verdicts: readonly LogVerdict[]): ContinuingLog[] {
  return verdicts.flatMap(({ found: { log, genesis } }) => {
    if (genesis?.continues === undefined) return [];
    const { origin, synthetic, continues } = genesis;
    return [{ log, origin, synthetic, continues }];
  });
}

/** A pinned key whose log is not there: that log is gone, or this is the archive of another deployment. */
function checkPinsFound(
  findings: Findings,
  found: readonly FoundLog[],
  { pinnedVkeys = [] }: VerifyOptions,
): void {
  // A log with another key than those that were pinned is a failure already, and says more.
  if (findings.failures().some(({ code }) => code === 'key_not_pinned')) return;
  const keys = found.flatMap(({ vkeys }) => vkeys);
  for (const pinned of new Set(pinnedVkeys.map((vkey) => vkey.trim())))
    if (!keys.includes(pinned))
      findings.fail('log_missing', null, `no log of the archive has the pinned key ${pinned}`);
}

function hasObjects({ hasGenesis, early, payloads }: LogListing): boolean {
  return hasGenesis || early.bundles.length > 0 || early.checkpoints.length > 0 || payloads.size > 0;
}

function reportNothing({ reader, hasManifest }: ArchiveListing): VerificationReport {
  const findings = createFindings();
  const detail = hasManifest
    ? 'this is an unpacked evidence package; verify the ZIP, or pack the files again'
    : `there is no log below this ${reader.kind}`;
  findings.fail('nothing_to_verify', null, detail);
  return buildReport(findings, { ...NOTHING_ESTABLISHED, kind: 'archive' });
}

function establishHeads({ tree }: LogVerdict, check: HeadLogCheck): Established['head_log'] {
  return {
    entry_count: tree?.size ?? 0,
    root_hash: tree === undefined ? null : rootHex(tree),
    taken_at: check.newest()?.taken_at ?? null,
  };
}

function establish(verdicts: readonly LogVerdict[]): Omit<Established, 'head_log'> {
  const trees = verdicts.map(({ tree }) => tree).filter((tree) => tree !== undefined);
  const isKnown = trees.length === verdicts.length;
  const [only] = trees;
  const frames = noFrames();
  for (const verdict of verdicts) addCounts(frames, verdict.frames);
  return {
    kind: 'archive',
    tree_size: isKnown ? trees.reduce((sum, { size }) => sum + size, 0) : null,
    // Several logs have no common root.
    root_hash: isKnown && only !== undefined && trees.length === 1 ? rootHex(only) : null,
    signed_tree_size: verdicts.reduce((sum, { signedSize }) => sum + signedSize, 0),
    isPinned: verdicts.every(({ isPinned }) => isPinned),
    completeness: 'not_assessed',
    disclosure: disclosureOf(frames),
    frames,
    synthetic: markOf(verdicts),
    continues: continuationsOf(verdicts.map(({ found }) => found.genesis)),
  };
}

function markOf(verdicts: readonly LogVerdict[]): boolean | null {
  const marks = verdicts.map(({ found }) => found.genesis?.synthetic).filter((mark) => mark !== undefined);
  return marks.length === 0 ? null : marks.includes(true);
}

function disclosureOf({ sealed, destroyed }: FrameCounts): Established['disclosure'] {
  if (sealed > 0) return 'sealed';
  return destroyed > 0 ? 'opened_except_erased' : 'opened';
}
