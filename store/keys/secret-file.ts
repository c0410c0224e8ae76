import { open, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

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
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', OWNER_ONLY_FILE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
