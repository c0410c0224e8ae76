import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { renameIfThere } from './durable-file.ts';
import { codeOf } from './error-code.ts';
import { LIMIT_MS } from './settings.ts';
import type { HookWorld } from './world.ts';

/** Twice the longest life of a client: the owner of an older lock or unfinished file is gone. */
const ABANDONED_MS = 2 * LIMIT_MS.max;

/**
 * Takes the lock and returns the function that releases it; undefined if another process holds it. The lock is a
 * symbolic link to its owner's name: creating a link fails if one exists, and the name is there from the first moment.
 */
export function takeLock(path: string, world: HookWorld): (() => void) | undefined {
  const mine = `${hostname()}:${process.pid}:${world.newId()}`;
  const tryLock = (): boolean => {
    try {
      createLock(mine, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  };
  if (!tryLock() && !(clearStaleLock(path, world) && tryLock())) return undefined;
  return () => {
    if (ownerOf(path) === mine) fs.rmSync(path, { force: true });
  };
}

/**
 * Two processes that find the same stale lock can both get here. If both send, order may suffer, but each event keeps
 * its key and the collector recognises the second delivery.
 */
function clearStaleLock(path: string, { now }: HookWorld): boolean {
  const owner = ownerOf(path);
  const made = fs.lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (owner === undefined || made === undefined) return true;
  const [host, pid] = owner.split(':');
  const isGone = host === hostname() && !isAlive(Number(pid));
  if (!isGone && !isAbandoned(made, now())) return false;
  const aside = `${path}-${process.pid}`;
  renameIfThere(path, aside);
  const moved = ownerOf(aside);
  fs.rmSync(aside, { force: true });
  if (moved === undefined || moved === owner) return true;
  // Another process was quicker, and this is its new lock.
  createLock(moved, path);
  return false;
}

/**
 * On Windows only administrators may create links. There the lock is a file, and its owner's name follows a moment
 * later.
 */
const IS_LINK = process.platform !== 'win32';

function createLock(owner: string, lock: string): void {
  if (IS_LINK) fs.symlinkSync(owner, lock);
  else fs.writeFileSync(lock, owner, { flag: 'wx' });
}

function ownerOf(lock: string): string | undefined {
  try {
    return IS_LINK ? fs.readlinkSync(lock) : fs.readFileSync(lock, 'utf8');
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Whether a file is so old that its owner is gone; also if the clock was set back since. */
export function isAbandoned(mtimeMs: number, now: number): boolean {
  return Math.abs(now - mtimeMs) > ABANDONED_MS;
}
