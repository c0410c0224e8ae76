/**
 * Verifies an evidence package from its ZIP alone. In: a path. Out: a report. The chain of reasons: the key signs the
 * manifest, the manifest names every file, the key signs the checkpoint, proofs lead from each record to its root.
 */
import { LogGenesis } from '../../schemas/bundle.ts';
import { PACKAGE_PATHS, PackageManifest } from '../../schemas/evidence-package.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import {
  keysOfGenesis,
  openCheckpointOf,
  packageKeyAt,
  packageKeyName,
  type KeyHistory,
} from '../chain/key-history.ts';
import { isContinuationSound } from '../chain/continuation.ts';
import { isGenesisSigned, isOfOtherFormat, namesItsKey } from '../chain/genesis.ts';
import { sha256Hex } from '../chain/leaf.ts';
import { parseNote, parseVkey, verifyNote } from '../chain/note.ts';
import { openContainer } from './container.ts';
import { compareKeptCheckpoints, type PackageHead } from './kept-checkpoint.ts';
import { readTextFile, UNNAMED, verifyFiles, type PackageRun } from './package-files.ts';
import { readKeyChanges } from './package-keys.ts';
import { verifyRecords } from './package-records.ts';
import { verifyResults } from './package-results.ts';
import {
  buildReport,
  checkPin,
  continuationsOf,
  createFindings,
  NOTHING_ESTABLISHED,
  type Established,
  type VerifyOptions,
} from './report.ts';
import { parseCanonical } from './shape.ts';

interface VerifyPackageOptions extends VerifyOptions {
  readonly path: string;
}

interface ReadManifest {
  readonly manifest: PackageManifest;
  /** SHA-256 of its text, which the key signs. */
  readonly sha256: string;
}

/** Rejects only where the file system does; a defect of the file becomes a failure in the report. */
export async function verifyPackage({ path, ...options }: VerifyPackageOptions): Promise<VerificationReport> {
  const findings = createFindings();
  const nothing: Established = { ...NOTHING_ESTABLISHED, kind: 'package' };
  const container = await openContainer(path, findings);
  if (container === undefined) return buildReport(findings, nothing);
  try {
    const run: PackageRun = { container, options, findings };
    const read = await readManifest(run);
    return buildReport(findings, read === undefined ? nothing : await verifyContents(run, read));
  } finally {
    container.close();
  }
}

async function verifyContents(run: PackageRun, read: ReadManifest): Promise<Established> {
  const { manifest } = read;
  await verifyFiles(run, manifest);
  const genesis = await readGenesis(run, manifest);
  const keys = await readKeys(run, manifest, genesis);
  const vkeys = keys?.map(({ vkey }) => vkey);
  const isPinned = vkeys !== undefined && checkPin(run.findings, vkeys, run.options);
  const isSigned = await verifySignature(run, read, { genesis, keys });
  if (genesis !== undefined) checkMark(run, manifest, genesis);
  const note = await readTextFile(run, PACKAGE_PATHS.checkpoint);
  const isAnchored = verifyCheckpoint(run, manifest, note, keys);
  if (keys !== undefined) compareWithKept(run, { ...manifest, keys, isSigned: isAnchored });
  const ids = await recordIds(run, manifest, note);
  const completeness = await claimedCompleteness(run, manifest, ids);
  return {
    kind: 'package',
    tree_size: manifest.tree_size,
    root_hash: manifest.root_hash,
    signed_tree_size: isSigned && isAnchored ? manifest.tree_size : 0,
    isPinned,
    completeness,
    disclosure: 'facts_only',
    synthetic: genesis?.synthetic ?? null,
    continues: continuationsOf([genesis]),
    head_log: null,
    frames: null,
  };
}

/** The keys of the log, from the one inside the package on. Undefined where that one does not read. */
async function readKeys(
  run: PackageRun,
  manifest: PackageManifest,
  genesis: LogGenesis | undefined,
): Promise<KeyHistory | undefined> {
  const vkey = (await readTextFile(run, PACKAGE_PATHS.key)).replace(/\n$/, '');
  const keys = keysOfGenesis(genesis ?? { vkey });
  return keys && readKeyChanges(run, manifest, { genesis, keys });
}

/**
 * SPEC (evidence-package.md): `genesis` is the genesis of the log as archive.md states it, by the key of the package.
 * Undefined where it is not, which was reported.
 */
async function readGenesis(run: PackageRun, manifest: PackageManifest): Promise<LogGenesis | undefined> {
  const path = PACKAGE_PATHS.genesis;
  const text = await readTextFile(run, path);
  if (isOfOtherFormat(Buffer.from(text))) {
    run.findings.fail('format_unknown', null, path);
    return undefined;
  }
  const genesis = text.endsWith('\n') ? parseCanonical(LogGenesis, text.slice(0, -1)) : undefined;
  const vkey = (await readTextFile(run, PACKAGE_PATHS.key)).replace(/\n$/, '');
  const isSound = genesis !== undefined && namesItsKey(genesis) && isContinuationSound(genesis);
  if (!isSound || genesis.origin !== manifest.origin || genesis.vkey !== vkey) {
    run.findings.fail('genesis_malformed', null, `${path} is not the genesis of ${manifest.origin}`);
    return undefined;
  }
  if (!isGenesisSigned(genesis)) run.findings.fail('genesis_unsigned', null, path);
  return genesis;
}

/** SPEC (evidence-package.md): the manifest repeats the mark of the genesis. */
function checkMark(run: PackageRun, manifest: PackageManifest, genesis: LogGenesis): void {
  if (manifest.synthetic === genesis.synthetic) return;
  const detail = `the manifest says synthetic: ${String(manifest.synthetic)}, ${PACKAGE_PATHS.genesis} ${String(genesis.synthetic)}`;
  run.findings.fail('synthetic_mismatch', null, detail);
}

function compareWithKept({ findings, options }: PackageRun, head: PackageHead): void {
  compareKeptCheckpoints(head, options.keptCheckpoints, findings);
}

/** Checks the records against the signed root. Resolves their ids. */
function recordIds(run: PackageRun, manifest: PackageManifest, note: string): Promise<ReadonlySet<string>> {
  const { container, findings, options } = run;
  const tree = { tree_size: manifest.tree_size, root_hash: manifest.root_hash, note };
  return guarded(run, PACKAGE_PATHS.records, new Set<string>(), () =>
    verifyRecords({ container, findings, tree, onProgress: options.onProgress }),
  );
}

/** Checks the results. Resolves the completeness that they claim. */
function claimedCompleteness(
  run: PackageRun,
  manifest: PackageManifest,
  ids: ReadonlySet<string>,
): Promise<VerificationReport['completeness']> {
  const { container, findings } = run;
  return guarded(run, PACKAGE_PATHS.results, 'not_assessed' as const, () =>
    verifyResults({ container, manifest, ids, findings }),
  );
}

/** SPEC (evidence-package.md): canonical JSON and a newline; paths rise and name neither manifest nor its note. */
async function readManifest(run: PackageRun): Promise<ReadManifest | undefined> {
  const text = await readTextFile(run, PACKAGE_PATHS.manifest);
  const manifest = text.endsWith('\n') ? parseCanonical(PackageManifest, text.slice(0, -1)) : undefined;
  const paths = manifest?.files.map(({ path }) => path) ?? [];
  const isOrdered = paths.every((path, position) => position === 0 || (paths[position - 1] ?? '') < path);
  if (manifest !== undefined && isOrdered && !paths.some((path) => UNNAMED.includes(path))) {
    return { manifest, sha256: sha256Hex(text) };
  }
  run.findings.fail('manifest_malformed', null, PACKAGE_PATHS.manifest);
  return undefined;
}

/**
 * SPEC (evidence-package.md): a signed note of three lines: origin and purpose, package id, digest. The package key of the
 * tree size made the signature: that of the newest change of key below, else that of the signed genesis.
 */
async function verifySignature(
  run: PackageRun,
  { manifest, sha256 }: ReadManifest,
  { genesis, keys }: { readonly genesis: LogGenesis | undefined; readonly keys: KeyHistory | undefined },
): Promise<boolean> {
  const note = await readTextFile(run, PACKAGE_PATHS.manifestNote);
  const purpose = packageKeyName(manifest.origin);
  // A genesis that its key did not sign vouches for no other key.
  const isVouched = genesis !== undefined && isGenesisSigned(genesis);
  const vouched = isVouched && keys !== undefined ? packageKeyAt(keys, manifest.tree_size) : undefined;
  const key = vouched === undefined ? undefined : parseVkey(vouched);
  const text = `${purpose}\n${manifest.package_id}\n${sha256}\n`;
  // A further signature line would hold bytes that nobody signed.
  const isAlone = parseNote(note)?.signatures.length === 1;
  const isSigned = isAlone && key?.name === purpose && verifyNote(note, key) === text;
  if (!isSigned) run.findings.fail('manifest_unsigned', null, PACKAGE_PATHS.manifestNote);
  return isSigned;
}

/** SPEC (evidence-package.md): a checkpoint by the keys of the log at its size, with the origin, size and root of the manifest. */
function verifyCheckpoint(
  { findings }: PackageRun,
  manifest: PackageManifest,
  note: string,
  keys: KeyHistory | undefined,
): boolean {
  const checkpoint = keys && openCheckpointOf(keys, note);
  const isGood =
    checkpoint?.origin === manifest.origin &&
    checkpoint.tree_size === manifest.tree_size &&
    checkpoint.root_hash === manifest.root_hash;
  if (!isGood)
    findings.fail(
      'checkpoint_invalid',
      null,
      `${PACKAGE_PATHS.checkpoint} is not a signed head of what the manifest names`,
    );
  return isGood;
}

/** Runs a check of a file. Where the file does not read, that is a failure and the result is `otherwise`. */
async function guarded<T>(
  { findings }: PackageRun,
  path: string,
  otherwise: T,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    findings.fail('file_damaged', null, `${path}, or a file it rests on, does not read: ${String(error)}`);
    return otherwise;
  }
}
