import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../schemas/errors.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { LOG_ROOT } from '../chain/layout.ts';
import { verifyArchive } from './verify-archive.ts';
import { verifyPackage } from './verify-package.ts';
import type { VerifyOptions } from './report.ts';

/**
 * Verifies a file as an evidence package, and a folder as an archive. A data folder is verified by the archive inside
 * it. Throws NOT_FOUND where the path does not exist and ARCHIVE_UNAVAILABLE where it cannot be read. A defect of the
 * evidence becomes a failure in the report.
 */
export async function verifyPath(path: string, options: VerifyOptions = {}): Promise<VerificationReport> {
  try {
    const found = await stat(path);
    if (found.isFile() && options.checkPrevious !== undefined)
      throw new PipelineError('USAGE_INVALID', `${path} is a package; --previous needs an archive`);
    if (found.isFile()) return await verifyPackage({ path, ...options });
    const inner = join(path, 'archive');
    const dir =
      !(await isFolder(join(path, LOG_ROOT))) && (await isFolder(join(inner, LOG_ROOT))) ? inner : path;
    return await verifyArchive({ dir, ...options });
  } catch (error) {
    const isSystemError = error instanceof Error && 'syscall' in error && 'code' in error;
    if (!isSystemError) throw error;
    const code = error.code === 'ENOENT' ? 'NOT_FOUND' : 'ARCHIVE_UNAVAILABLE';
    const hint = 'name an evidence package (ZIP) or an archive folder that this user may read';
    throw new PipelineError(code, `reading ${path}: ${String(error.code)}`, { cause: error, hint });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
