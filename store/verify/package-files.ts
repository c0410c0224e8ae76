/** The files of a package: whether the ZIP holds exactly those that the manifest names, and how texts are read. */
import { createHash } from 'node:crypto';
import { PACKAGE_PATHS, type ManifestFile, type PackageManifest } from '../../schemas/evidence-package.ts';
import type { Container } from './container.ts';
import { proofIndex } from './package-records.ts';
import { readText } from './package-text.ts';
import type { Findings, VerifyOptions } from './report.ts';

/** Values that the checks of one package share. */
export interface PackageRun {
  readonly container: Container;
  readonly options: VerifyOptions;
  readonly findings: Findings;
}

/** Files that a manifest cannot name: itself, and the signature over it. */
export const UNNAMED: readonly string[] = [PACKAGE_PATHS.manifest, PACKAGE_PATHS.manifestNote];
const REQUIRED = Object.values(PACKAGE_PATHS).filter((path) => !UNNAMED.includes(path));
/** Small files are far below this. A larger one is refused before it fills the memory. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/** Reports files of the manifest that are missing or have other bytes, and files that it does not name. */
export async function verifyFiles(
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

/** Text of a file, '' where it is missing or does not read. The checks that need the text then fail. */
export async function readTextFile({ container }: PackageRun, path: string): Promise<string> {
  try {
    const { size = 0 } = container.files.get(path) ?? {};
    return size > MAX_TEXT_BYTES ? '' : await readText(container.read(path));
  } catch {
    return '';
  }
}
