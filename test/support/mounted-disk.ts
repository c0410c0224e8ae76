import { spawnSync } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempDir } from './server.ts';

export interface MountedDisk {
  readonly path: string;
  /** Takes all room but so many bytes. */
  fill(leaveBytes: number): Promise<void>;
  /** Takes all inodes but so many. */
  takeFiles(leaveFiles: number): Promise<void>;
  free(): Promise<void>;
  remove(): Promise<void>;
}

/** A file system of its own in memory, which only root may mount; undefined where that is refused. */
export async function mountDisk(sizeBytes: number, inodes?: number): Promise<MountedDisk | undefined> {
  const { path, remove } = await makeTempDir();
  const size = `size=${String(sizeBytes)}`;
  const bounds = inodes === undefined ? size : `${size},nr_inodes=${String(inodes)}`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', bounds, 'tmpfs', path]);
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
    async takeFiles(leaveFiles) {
      const folder = join(path, 'files');
      await mkdir(folder);
      const { ffree } = await statfs(path);
      for (let n = 0; n < ffree - leaveFiles; n += 1) await writeFile(join(folder, String(n)), '');
    },
    free: () => rm(filler),
    async remove() {
      spawnSync('umount', ['--lazy', path]);
      await remove();
    },
  };
}
