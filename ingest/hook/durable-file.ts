import * as fs from 'node:fs';
import { join } from 'node:path';
import { codeOf } from './error-code.ts';

/** Ends the name of a file that is still being written. */
export const PARTIAL = '.part';

/** Writes a file that exists whole or not at all, and that survives a power cut. */
export function writeDurably(folder: string, name: string, bytes: Buffer): void {
  const partial = join(folder, name + PARTIAL);
  fs.writeFileSync(partial, bytes, { mode: 0o600, flush: true });
  // The sender may have completed the file already, if it took it for one of a killed client.
  renameIfThere(partial, join(folder, name));
  // Windows cannot open a folder, and keeps the names of files in its journal.
  if (process.platform === 'win32') return;
  const directory = fs.openSync(folder, 'r');
  fs.fsyncSync(directory);
  fs.closeSync(directory);
}

/** Renames a file. If it is gone, another process has taken it, which is not a failure. */
export function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
