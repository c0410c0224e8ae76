import { spawnSync } from 'node:child_process';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempDir } from './server.ts';

export interface MountedDisk {
  readonly path: string;
  /** Takes all room but so many bytes. */
  fill(leaveBytes: number): Promise<void>;
  free(): Promise<void>;
  remove(): Promise<void>;
}

/** A file system of its own in memory, which only root may mount; undefined where that is refused. */
export async function mountDisk(sizeBytes: number): Promise<MountedDisk | undefined> {
  const { path, remove } = await makeTempDir();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeBytes)}`, 'tmpfs', path]);
  if (mounted.status !== 0) {
    await remove();
    return undefined;
  }
  const filler = join(path, 'filler');
  return {
    path,
    async fill(leaveBytes) {
      await rm(filler, { force: true });
      const { bavail, bsize } = await statfs(path);
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes))).catch(
        // The server may have been quicker: then it is full.
        (error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        },
      );
    },
    free: () => rm(filler),
    async remove() {
      spawnSync('umount', ['--lazy', path]);
      await remove();
    },
  };
}
