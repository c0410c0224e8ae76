import * as fs from 'node:fs';
import { join } from 'node:path';
import { codeOf } from './error-code.ts';

/** Ends the name of a file that is still being written. */
export const PARTIAL = '.part';

/** There as a whole or not at all, and still there after a power cut. */
export function writeDurably(folder: string, name: string, bytes: Buffer): void {
  const partial = join(folder, name + PARTIAL);
  fs.writeFileSync(partial, bytes, { mode: 0o600, flush: true });
  // Gone already if the sender took it for what a killed client left.
  renameIfThere(partial, join(folder, name));
  // Windows opens no folder, and keeps the names of files in its journal.
  if (process.platform === 'win32') return;
  const directory = fs.openSync(folder, 'r');
  fs.fsyncSync(directory);
  fs.closeSync(directory);
}

/** Renames; a file that is gone already was taken by another process, which is no failure. */
export function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
