/** A small file system below the data folder, so that it can be filled: a tmpfs, which takes the right to mount. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SmallDisk {
  /** Takes the last free byte, as fast as another program that writes 200 MB a second. */
  fill(): Promise<void>;
  free(): Promise<void>;
  /** Brings the data folder back to where it was, under the same path. No process may use it. */
  remove(): Promise<void>;
}

const ROOM_BYTES = 128 * 1024 * 1024;
const CHUNK = Buffer.alloc(1024 * 1024);
const PAGE_BYTES = 4096;
const CHUNK_EVERY_MS = 5;

/** Puts the data folder onto a small file system, under the same path. Gives the reason where it cannot be had. */
export async function openSmallDisk(data: string): Promise<SmallDisk | { readonly reason: string }> {
  const aside = `${data}.aside`;
  await mkdir(data, { recursive: true, mode: 0o700 });
  const { stdout } = await run('du', ['-sB1', data]);
  const sizeBytes = Math.ceil(Number.parseInt(stdout, 10) * 1.1) + ROOM_BYTES;
  await rename(data, aside);
  await mkdir(data, { mode: 0o700 });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0700`, 'tmpfs', data]);
  } catch (error) {
    await rm(data, { recursive: true });
    await rename(aside, data);
    return { reason: (error as Error).message.trim().replaceAll(/\s+/g, ' ') };
  }
  const unmount = (): void => void execFileSync('umount', ['-l', data]);
  process.once('exit', unmount);
  await run('cp', ['-a', `${aside}/.`, data]);
  const ballast = join(data, 'ballast');
  return {
    fill: () => fillUp(ballast),
    free: () => rm(ballast, { force: true }),
    async remove() {
      await rm(ballast, { force: true });
      const back = `${data}.back`;
      await run('cp', ['-a', data, back]);
      await run('umount', [data]);
      process.off('exit', unmount);
      await rm(data, { recursive: true });
      await rename(back, data);
      await rm(aside, { recursive: true });
    },
  };
}

async function fillUp(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    for (let size = CHUNK.length; size >= PAGE_BYTES;) {
      const isFull = await file.appendFile(CHUNK.subarray(0, size)).then(() => false, isNoSpace);
      if (isFull) size /= 2;
      else await delay(CHUNK_EVERY_MS);
    }
  } finally {
    await file.close();
  }
}

function isNoSpace(error: unknown): true {
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return true;
  throw error;
}
