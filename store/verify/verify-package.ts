/**
 * Verifies an evidence package from its ZIP alone. In: a path. Out: a report. The chain of reasons: the key signs the
 * manifest, the manifest names every file, the key signs the checkpoint, proofs lead from each record to its root.
 */
import { createHash } from 'node:crypto';
import { PACKAGE_PATHS, PackageManifest, type ManifestFile } from '../../schemas/evidence-package.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { openCheckpoint } from '../chain/checkpoint.ts';
import { sha256Hex } from '../chain/leaf.ts';
import { parseVkey, verifyNote, type VerifierKey } from '../chain/note.ts';
import { openContainer, type Container } from './container.ts';
import { compareKeptCheckpoints } from './kept-checkpoint.ts';
import { proofIndex, verifyRecords } from './package-records.ts';
import { verifyResults } from './package-results.ts';
import {
  buildReport,
  checkPin,
  createFindings,
  NOTHING_ESTABLISHED,
  type Established,
  type Findings,
  type VerifyOptions,
} from './report.ts';
import { parseCanonical } from './shape.ts';
import { readText } from './package-text.ts';

export interface VerifyPackageOptions extends VerifyOptions {
  readonly path: string;
}

interface PackageRun {
  readonly container: Container;
  readonly options: VerifyOptions;
  readonly findings: Findings;
}

interface Manifest {
  readonly manifest: PackageManifest;
  readonly sha256: string;
}

/** Files that a manifest cannot name: itself, and the signature over it. */
const UNNAMED: readonly string[] = [PACKAGE_PATHS.manifest, PACKAGE_PATHS.manifestNote];
const REQUIRED = Object.values(PACKAGE_PATHS).filter((path) => !UNNAMED.includes(path));

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

async function verifyContents(run: PackageRun, read: Manifest): Promise<Established> {
  const { container, findings, options } = run;
  const { manifest } = read;
  const { tree_size, root_hash } = manifest;
  await verifyFiles(run, manifest);
  const keyText = await textOf(run, PACKAGE_PATHS.key);
  const key = parseVkey(keyText.replace(/\n$/, ''));
  const isPinned = key !== undefined && checkPin(findings, keyText.replace(/\n$/, ''), options);
  const isSigned = await verifySignature(run, read, key);
  const note = await textOf(run, PACKAGE_PATHS.checkpoint);
  const isAnchored = verifyCheckpoint(note, manifest, key, findings);
  if (key !== undefined)
    compareKeptCheckpoints({ ...manifest, key, isSigned: isAnchored }, options.keptCheckpoints, findings);
  const common = { container, manifest, findings };
  const ids = await guarded(run, PACKAGE_PATHS.records, new Set<string>(), () =>
    verifyRecords({ ...common, tree: { tree_size, root_hash, note }, onProgress: options.onProgress }),
  );
  const completeness = await guarded(run, PACKAGE_PATHS.results, 'not_assessed' as const, () =>
    verifyResults({ ...common, ids }),
  );
  return {
    kind: 'package',
    tree_size,
    root_hash,
    signed_tree_size: isSigned && isAnchored ? tree_size : 0,
    isPinned,
    completeness,
    disclosure: 'facts_only',
  };
}

/** SPEC (evidence-package.md): canonical JSON and a newline; paths rise and name neither manifest nor its note. */
async function readManifest(run: PackageRun): Promise<Manifest | undefined> {
  const text = await textOf(run, PACKAGE_PATHS.manifest);
  const manifest = text.endsWith('\n') ? parseCanonical(PackageManifest, text.slice(0, -1)) : undefined;
  const paths = manifest?.files.map(({ path }) => path) ?? [];
  const isOrdered = paths.every((path, position) => position === 0 || (paths[position - 1] ?? '') < path);
  if (manifest !== undefined && isOrdered && !paths.some((path) => UNNAMED.includes(path))) {
    return { manifest, sha256: sha256Hex(text) };
  }
  run.findings.fail('manifest_malformed', null, PACKAGE_PATHS.manifest);
  return undefined;
}

/** SPEC (evidence-package.md): a signed note by the log key of three lines: origin and purpose, package id, digest. */
async function verifySignature(
  run: PackageRun,
  { manifest, sha256 }: Manifest,
  key: VerifierKey | undefined,
): Promise<boolean> {
  const note = await textOf(run, PACKAGE_PATHS.manifestNote);
  const text = `${manifest.origin}/evidence-package\n${manifest.package_id}\n${sha256}\n`;
  const isSigned = key?.name === manifest.origin && verifyNote(note, key) === text;
  if (!isSigned) run.findings.fail('manifest_unsigned', null, PACKAGE_PATHS.manifestNote);
  return isSigned;
}

/** SPEC (evidence-package.md): a checkpoint by the log key with the origin, size and root of the manifest. */
function verifyCheckpoint(
  note: string,
  manifest: PackageManifest,
  key: VerifierKey | undefined,
  findings: Findings,
): boolean {
  const checkpoint = key && openCheckpoint(note, key);
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

/** Every file of the manifest is there with its bytes, and no other file is. */
async function verifyFiles(
  { container, findings, options }: PackageRun,
  manifest: PackageManifest,
): Promise<void> {
  const named = new Set(manifest.files.map(({ path }) => path));
  const missing = [...REQUIRED, ...named].filter((path) => !named.has(path) || !container.files.has(path));
  for (const path of new Set(missing)) findings.fail('file_missing', proofIndex(path) ?? null, path);
  for (const path of container.files.keys()) {
    if (!named.has(path) && !UNNAMED.includes(path)) findings.fail('file_unexpected', null, path);
  }
  let done = 0;
  for (const file of manifest.files) {
    if (container.files.has(file.path) && !(await isAsNamed(container, file)))
      findings.fail('file_damaged', null, file.path);
    done += 1;
    options.onProgress?.({ step: 'files', done, total: manifest.files.length });
  }
}

async function isAsNamed(container: Container, file: ManifestFile): Promise<boolean> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of container.read(file.path)) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch {
    return false;
  }
  return size === file.size_bytes && hash.digest('hex') === file.sha256;
}

/** No small file of the format comes near; a larger one is refused before it fills the memory. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/** Text of a file, '' where it is missing or does not read. The checks that need the text then fail. */
async function textOf({ container }: PackageRun, path: string): Promise<string> {
  try {
    const { size = 0 } = container.files.get(path) ?? {};
    return size > MAX_TEXT_BYTES ? '' : await readText(container.read(path));
  } catch {
    return '';
  }
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
