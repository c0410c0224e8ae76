import { readlinkSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** Paths of the files and folders that are flushed while `work` runs, in order. Only where /proc names descriptors. */
export async function flushedBy(work: () => Promise<unknown>): Promise<string[]> {
  const handle = await open('/', 'r');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'sync' | 'fd'>;
  await handle.close();
  const flushed: string[] = [];
  const { sync } = prototype;
  prototype.sync = function (this: FileHandle) {
    flushed.push(readlinkSync(`/proc/self/fd/${this.fd}`));
    return sync.call(this);
  };
  try {
    await work();
  } finally {
    prototype.sync = sync;
  }
  return flushed;
}
