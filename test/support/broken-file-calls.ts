/**
 * The file calls of a local key store, of which one goes wrong. In: the number of the call and how. Out: calls, and the state
 * of the folder after a power loss: names and removals that were not flushed are undone. Nothing is really flushed, because
 * here a power loss is an account of flushes.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FILE_CALLS, type FileCalls } from '../../store/data-keys/local/file-calls.ts';

/** The calls without their flushes. */
export const QUICK_FILE_CALLS: FileCalls = {
  ...FILE_CALLS,
  write: (path, bytes, mode) => writeFile(path, bytes, { mode, flag: 'wx' }),
  sync: () => Promise.resolve(),
};

/**
 * - `fails`: the call does nothing and fails, the process goes on
 * - `fails-after`: the call is made, and fails
 * - `dies-after`: the process ends behind the call
 * - `dies-within`: the process ends in the middle of a write; only writes are counted
 */
export type CallFault = 'fails' | 'fails-after' | 'dies-after' | 'dies-within';

export interface BrokenFileCalls extends FileCalls {
  readonly hasFired: boolean;
  /** Undoes in the folder what a power loss takes. Nothing may use the calls any more. */
  losePower(): Promise<void>;
}

export function breakFileCalls(at: number, fault: CallFault): BrokenFileCalls {
  let count = 0;
  let isDead = false;
  let hasFired = false;
  /** By path: the bytes that are on stable storage under this name; undefined where there are none. */
  const unflushed = new Map<string, Buffer | undefined>();

  const remember = async (path: string) => {
    if (!unflushed.has(path)) unflushed.set(path, await readFile(path).catch(() => undefined));
  };
  const around = async <T>(apply: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> => {
    if (isDead) throw new Error('the process is dead');
    if (fault === 'dies-within' && half === undefined) return apply();
    count += 1;
    if (count !== at) return apply();
    hasFired = true;
    if (fault.startsWith('dies')) isDead = true;
    if (fault === 'dies-within') await half?.();
    if (fault.endsWith('after')) await apply();
    throw isDead ? new Error('the process is dead') : Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  return {
    get hasFired() {
      return hasFired;
    },
    mkdir: (path, mode) => around(() => QUICK_FILE_CALLS.mkdir(path, mode)),
    write: (path, bytes, mode) =>
      around(
        () => QUICK_FILE_CALLS.write(path, bytes, mode),
        () => writeFile(path, bytes.subarray(0, bytes.length / 2), { mode }),
      ),
    link: (from, to) =>
      around(async () => {
        await remember(to);
        await QUICK_FILE_CALLS.link(from, to);
      }),
    rename: (from, to) =>
      around(async () => {
        await remember(to);
        await QUICK_FILE_CALLS.rename(from, to);
      }),
    unlink: (path) =>
      around(async () => {
        await remember(path);
        await QUICK_FILE_CALLS.unlink(path);
      }),
    sync: (path) =>
      around(async () => {
        await QUICK_FILE_CALLS.sync(path);
        for (const name of [...unflushed.keys()]) if (dirname(name) === path) unflushed.delete(name);
      }),
    async losePower() {
      isDead = true;
      for (const [path, bytes] of unflushed) {
        await rm(path, { force: true });
        if (bytes !== undefined) await writeFile(path, bytes, { mode: 0o600 });
      }
    },
  };
}
