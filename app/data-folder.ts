/**
 * Notices a data folder that vanishes or is replaced under a running process: a rename, an unmount, a restored copy. In:
 * the folders and the deployment file as they were at the start. Out: whether they are still the same.
 */
import { stat } from 'node:fs/promises';
import type { AppContext } from './context.ts';
import { readDeploymentIdentity } from './deployment-file.ts';
import { foldersOf } from './folder-modes.ts';
import { dataPaths } from './paths.ts';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';

/** How often a process compares its data folder with the one of its start. */
const FOLDER_CHECK_MS = 1_000;

export interface DataFolder {
  /** Throws DATA_FOLDER_CHANGED while a folder or the deployment file is missing or another one. */
  requireUnchanged(): Promise<void>;
  /** The same as codes for the readiness of the process. */
  reasons(): Promise<readonly ErrorCode[]>;
  close(): Promise<void>;
}

/** Begins to watch. A folder that is made later, such as the one of the event log, counts from when it is first seen. */
export async function watchDataFolder({
  config,
  logger,
}: Pick<AppContext, 'config' | 'logger'>): Promise<DataFolder> {
  const folders = foldersOf(config);
  const known = new Map<string, string>();
  const deployment = await readDeploymentIdentity(config);
  let reported: string | undefined;

  /** The first difference, in words; undefined where there is none. */
  async function findChange(): Promise<string | undefined> {
    for (const path of folders) {
      const before = known.get(path);
      const now = await inodeOf(path);
      if (before === undefined && now !== undefined) known.set(path, now);
      if (before !== undefined && before !== now) {
        return `${path} ${now === undefined ? 'is gone' : 'is another folder than at the start'}`;
      }
    }
    // An unreadable file is another one too: the process cannot show that it belongs to this deployment.
    const now = await readDeploymentIdentity(config).catch(() => 'unreadable');
    if (now === deployment) return undefined;
    return `${dataPaths(config).deployment} ${now === undefined ? 'is gone' : 'is not the one of the start'}`;
  }

  async function check(): Promise<string | undefined> {
    const change = await findChange();
    if (change !== undefined && change !== reported) {
      logger.error({ code: 'DATA_FOLDER_CHANGED', change }, 'the data folder changed under this process');
    }
    if (change === undefined && reported !== undefined) {
      logger.warn('the data folder is the one of the start again');
    }
    reported = change;
    return change;
  }

  await check();
  const timer = setInterval(() => void check().catch(() => undefined), FOLDER_CHECK_MS);
  timer.unref();
  return {
    async requireUnchanged() {
      const change = await check();
      if (change !== undefined) throw new PipelineError('DATA_FOLDER_CHANGED', change);
    },
    reasons: async () => ((await check()) === undefined ? [] : ['DATA_FOLDER_CHANGED']),
    close: () => {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

/** Device and inode; undefined where there is no folder, or where its file system does not answer for it. */
async function inodeOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.isDirectory() === true ? `${String(found.dev)}:${String(found.ino)}` : undefined;
}
