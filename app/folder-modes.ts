/** Keeps other users of the machine out of the data folder. */
import { chmod, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import type { AppContext } from './context.ts';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';

const OWNER_ONLY_FOLDER = 0o700;
/** Rights of the group and of all other users. */
const RIGHTS_OF_OTHERS = 0o077;

/** The data folder and the folders that the program makes in it, whether they are there or not; the data folder first. */
export function foldersOf(config: Pick<Config, 'data'>): readonly string[] {
  const paths = dataPaths({ data: config.data });
  const { eventLog, records, archive, packages } = paths;
  return [config.data, dirname(paths.headGuard), eventLog, records, archive, packages];
}

/**
 * From here on this process makes folders and files that its own user alone may use, those of its engines included.
 * Existing folders that other users may read, change or enter are closed to them. Folders below these cannot be reached
 * then. Throws START_REFUSED where a folder cannot be closed.
 */
export async function closeToOthers({
  config,
  logger,
}: Pick<AppContext, 'config' | 'logger'>): Promise<void> {
  // Threads of a process share the mask, and only the main thread may set it.
  if (isMainThread) process.umask(RIGHTS_OF_OTHERS);
  for (const path of foldersOf(config)) {
    const mode = await modeOf(path);
    if (mode === undefined || (mode & RIGHTS_OF_OTHERS) === 0) continue;
    const before = mode.toString(8).padStart(4, '0');
    const cause = await chmod(path, OWNER_ONLY_FOLDER).catch((error: unknown) => error);
    // Some file systems accept a mode and keep another.
    if (((await modeOf(path)) ?? 0) & RIGHTS_OF_OTHERS) {
      throw new PipelineError(
        'START_REFUSED',
        `${path} is open to other users (mode ${before}) and cannot be closed to them: make it a folder of this user with mode 0700`,
        { cause },
      );
    }
    logger.warn({ path, before }, 'the folder was open to other users of this machine and has mode 0700 now');
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o7777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
