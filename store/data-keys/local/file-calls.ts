/** The calls by which a local key store changes its folder. Tests break them one by one. */
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';

export interface FileCalls {
  mkdir(path: string, mode: number): Promise<unknown>;
  /** Writes a new file in full, flushed; fails where it exists. */
  write(path: string, bytes: Uint8Array, mode: number): Promise<void>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Flushes a folder: the names in it. */
  sync(path: string): Promise<void>;
}

export const FILE_CALLS: FileCalls = {
  mkdir: (path, mode) => mkdir(path, { mode }),
  async write(path, bytes, mode) {
    const file = await open(path, 'wx', mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  link,
  rename,
  unlink,
  async sync(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};
