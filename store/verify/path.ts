import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../schemas/errors.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { LOG_ROOT } from '../chain/layout.ts';
import { verifyArchive } from './archive.ts';
import { verifyPackage } from './package.ts';
import type { VerifyOptions } from './report.ts';

/**
 * Verifies whatever lies at the path: a file is taken for an evidence package, a folder for an archive. A data folder
 * is accepted for the archive inside it. Throws NOT_FOUND if nothing is there and ARCHIVE_UNAVAILABLE if it cannot be
 * read; whatever it holds ends in the report.
 */
export async function verifyPath(path: string, options: VerifyOptions = {}): Promise<VerificationReport> {
  try {
    const found = await stat(path);
    if (found.isFile()) return await verifyPackage({ path, ...options });
    const inner = join(path, 'archive');
    const dir =
      !(await isFolder(join(path, LOG_ROOT))) && (await isFolder(join(inner, LOG_ROOT))) ? inner : path;
    return await verifyArchive({ dir, ...options });
  } catch (error) {
    const isSystemError = error instanceof Error && 'syscall' in error && 'code' in error;
    if (!isSystemError) throw error;
    const code = error.code === 'ENOENT' ? 'NOT_FOUND' : 'ARCHIVE_UNAVAILABLE';
    throw new PipelineError(code, `reading ${path}: ${String(error.code)}`, { cause: error });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
