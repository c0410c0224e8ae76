/** Reads files and folders that no other user of the machine may reach. */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { PipelineError } from '../../../schemas/errors.ts';

export const OWNER_ONLY_FILE = 0o600;
export const OWNER_ONLY_FOLDER = 0o700;
/** Rights of the group and of all other users. */
const RIGHTS_OF_OTHERS = 0o077;

/**
 * The bytes of a file; undefined where it does not exist. Follows no symbolic link. Throws KEY_STORE_EXPOSED for a file that
 * others may read or write; other failures throw the system's error.
 */
export async function readPrivateFile(path: string): Promise<Buffer | undefined> {
  // Without O_NONBLOCK the opening of a pipe would wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(ignoreMissing);
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    requirePrivate(path, found.mode, OWNER_ONLY_FILE);
    if (!found.isFile())
      throw new PipelineError('KEY_STORE_DAMAGED', `${path} is not a file`, { place: path });
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Device and inode of a folder. Throws KEY_STORE_EXPOSED where others may enter, read or change it. */
export async function requirePrivateFolder(path: string): Promise<string> {
  const { dev, ino, mode } = await stat(path, { bigint: true });
  requirePrivate(path, Number(mode), OWNER_ONLY_FOLDER);
  return `${String(dev)}:${String(ino)}`;
}

export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

/** Every refusal of the file system is to be retried later: no space, read-only, I/O error, no rights, too many files. */
export async function translated<T>(attempt: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof PipelineError || code === undefined) throw error;
    throw new PipelineError('KEY_STORE_UNAVAILABLE', `${attempt}: ${code}`, { cause: error });
  }
}

function requirePrivate(path: string, mode: number, wanted: number): void {
  if ((mode & RIGHTS_OF_OTHERS) === 0) return;
  const found = (mode & 0o7777).toString(8).padStart(4, '0');
  throw new PipelineError(
    'KEY_STORE_EXPOSED',
    `${path} is open to other users (mode ${found} and not ${wanted.toString(8).padStart(4, '0')})`,
    { place: path },
  );
}
