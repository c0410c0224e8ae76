import { link, mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** The bytes of the file; undefined where it does not exist. Other failures throw the system's error. */
export async function readSecretFile(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Replaces a file in one step, readable by its owner alone. When it resolves, the new bytes survive a power loss. If the
 * process dies before, the old bytes are still there.
 */
export async function writeSecretFile(path: string, bytes: string | Uint8Array): Promise<void> {
  await makeSecretFolder(dirname(path));
  await replaceSecretFile(path, bytes);
}

/** As `writeSecretFile`, but never makes the folder again: one that is gone was moved away, and its place stays empty. */
export async function replaceSecretFile(path: string, bytes: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.tmp`;
  await writeFlushed(temporary, bytes);
  await rename(temporary, path);
  await syncFolder(folder);
}

/**
 * Makes a file that is missing, readable by its owner alone. A file that is there stays, also where several processes call
 * this at once: then the file of one of them is there for all. When it resolves, the file survives a power loss.
 */
export async function createSecretFile(path: string, bytes: Uint8Array): Promise<void> {
  if ((await readSecretFile(path)) !== undefined) return;
  await makeSecretFolder(dirname(path));
  // Its name is given to nobody else, and it is open to this user alone.
  const folder = await mkdtemp(`${path}.tmp-`);
  try {
    const temporary = join(folder, 'file');
    await writeFlushed(temporary, bytes);
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
  await syncFolder(dirname(path));
}

async function writeFlushed(path: string, bytes: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w', OWNER_ONLY_FILE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Replaces a file by another one of its folder, in one step. When it resolves, that survives a power loss. */
export async function moveSecretFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Removes a file, which may be gone already. When it resolves, that survives a power loss. */
export async function removeSecretFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** When it resolves, a file that was found survives a power loss: its writer may have died before the name was flushed. */
export async function flushFoundFile(path: string): Promise<void> {
  await syncFolder(dirname(path));
}

/**
 * Makes the folder and those above it that are missing, for their owner alone. When it resolves, their names survive a
 * power loss: a file is only as durable as the name of each folder above it.
 */
export async function makeSecretFolder(path: string): Promise<void> {
  const topmost = await mkdir(path, { recursive: true, mode: OWNER_ONLY_FOLDER });
  if (topmost === undefined) return;
  const above = dirname(resolve(topmost));
  for (let folder = resolve(path); folder !== above; folder = dirname(folder))
    await syncFolder(dirname(folder));
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
