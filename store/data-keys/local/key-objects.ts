/**
 * Objects of a key store in a local folder: one file each, mode 0600, in folders of mode 0700. In: names and bytes. Out:
 * files that are there as a whole or not at all. A file gets its name by link(2) or rename(2), flushed before; the folder is
 * flushed after, once for all files of a batch.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { inParallel } from '../../../schemas/in-parallel.ts';
import type { KeyObjectChange, KeyObjects, KeyStorePurpose, NewKeyObject } from '../key-objects.ts';
import { FILE_CALLS, type FileCalls } from './file-calls.ts';
import {
  ignoreMissing,
  OWNER_ONLY_FILE,
  OWNER_ONLY_FOLDER,
  readPrivateFile,
  requirePrivateFolder,
  systemCode,
  translated,
} from './private-file.ts';

export interface LocalKeyObjectsOptions {
  /** Must be one file system, because files are linked into place. */
  readonly dir: string;
  /** @default 'use' */
  readonly purpose?: KeyStorePurpose;
  readonly clock: Clock;
  /** A name that nobody else has. */
  readonly newId: () => string;
  /** @default those of the system */
  readonly calls?: FileCalls;
}

/** Files that are not objects yet. */
const STAGING = '.staging';
/** Files that are written, read or flushed side by side. */
const MAX_FILES_AT_ONCE = 32;
/** A batch takes seconds: an older staged file was left by a process that died. */
const STAGING_LIFETIME_MS = 10 * 60 * 1000;

interface Place {
  readonly dir: string;
  readonly calls: FileCalls;
  readonly newId: () => string;
  /** Folders whose own name this process has flushed. */
  readonly durable: Set<string>;
}

/** Throws START_REFUSED for a folder that is not there: an empty one in its place would hold none of the keys. */
export async function openLocalKeyObjects(options: LocalKeyObjectsOptions): Promise<KeyObjects> {
  const { dir, clock, newId, calls = FILE_CALLS, purpose = 'use' } = options;
  const place: Place = { dir, calls, newId, durable: new Set() };
  const opened = await translated('opening the key store', async () => {
    if (purpose === 'begin') await makeFolder(place, dir);
    else await requireFolder(dir);
    if (purpose !== 'read')
      await removeStaged(place, ({ mtimeMs }) => mtimeMs < clock() - STAGING_LIFETIME_MS);
    return requirePrivateFolder(dir);
  });
  /** Keys that were put into another folder in the same place would be lost when the first one is back. */
  const inFolder = async <T>(attempt: string, work: () => Promise<T>): Promise<T> =>
    translated(attempt, async () => {
      const check = async () => {
        if ((await requirePrivateFolder(dir)) === opened) return;
        throw new PipelineError(
          'KEY_STORE_UNAVAILABLE',
          `${dir} is another folder than the one that was opened`,
        );
      };
      await check();
      const result = await work();
      await check();
      return result;
    });
  /** Folder by folder. A staged file is not an object. */
  async function* walk(base: string, prefix: string): AsyncGenerator<string> {
    const entries = await inFolder('listing keys', async () => readFolder(join(dir, base)));
    for (const entry of entries) {
      const name = `${base}${entry.name}`;
      if (entry.name === STAGING || !name.startsWith(prefix)) continue;
      if (entry.isDirectory()) yield* walk(`${name}/`, prefix);
      else yield name;
    }
  }
  return {
    read: (names, { durable = false } = {}) =>
      inFolder('reading keys', async () => {
        const read = (name: string) => readPrivateFile(join(dir, name));
        const found = await inParallel(names, MAX_FILES_AT_ONCE, read);
        if (durable)
          await flushFolders(
            place,
            names.filter((_, at) => found[at] !== undefined),
          );
        return found;
      }),
    create: (objects) => inFolder('creating keys', () => createAll(place, objects)),
    change: (changes) => inFolder('changing keys', () => changeAll(place, changes)),
    async *list(prefix) {
      const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      yield* walk(base, prefix);
    },
    close: () => Promise.resolve(),
  };
}

async function requireFolder(dir: string): Promise<void> {
  if ((await stat(dir).catch(ignoreMissing)) !== undefined) return;
  throw new PipelineError('START_REFUSED', `there is no key store at ${dir}`, {
    hint: 'restore the key store from its backup, or mount its disk; `affidavit init` makes one for a new deployment',
  });
}

/**
 * After a crash on the line behind each mark it is true that:
 *  1. nothing is visible; a later open removes staged files.
 *  2. each file is visible as a whole or not at all, and a power loss may take it.
 *  3. all files are durable.
 */
async function createAll(
  place: Place,
  objects: readonly NewKeyObject[],
): Promise<readonly ('created' | 'exists')[]> {
  const names = objects.map(({ name }) => name);
  await makeFolder(place, join(place.dir, STAGING));
  await makeFoldersOf(place, names);
  const outcomes = await inParallel(objects, MAX_FILES_AT_ONCE, async ({ name, bytes }) => {
    const staged = stagedPath(place, name);
    await place.calls.write(staged, bytes, OWNER_ONLY_FILE); // 1
    try {
      await place.calls.link(staged, join(place.dir, name)); // 2
      return 'created';
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      return 'exists';
    } finally {
      await place.calls.unlink(staged);
    }
  });
  await flushFolders(place, names); // 3
  return outcomes;
}

/** A crash leaves each object with its old bytes or its new ones, and behind the flush with the new ones for good. */
async function changeAll(place: Place, changes: readonly KeyObjectChange[]): Promise<readonly boolean[]> {
  if (changes.length === 0) return [];
  const removed = new Set(changes.filter(({ to }) => to === undefined).map(({ name }) => basename(name)));
  const outcomes = await inParallel(changes, MAX_FILES_AT_ONCE, (change) => changeOne(place, change));
  await flushFolders(
    place,
    changes.map(({ name }) => name),
  );
  // A creator that died behind its link left a second name of the file.
  if (removed.size > 0) await removeStaged(place, ({ object }) => removed.has(object));
  return outcomes;
}

async function changeOne(place: Place, { name, from, to }: KeyObjectChange): Promise<boolean> {
  const path = join(place.dir, name);
  if (to === undefined) return (await isStill(path, from)) && unlinkIfThere(place, path);
  const staged = stagedPath(place, name);
  await makeFolder(place, join(place.dir, STAGING));
  await place.calls.write(staged, to, OWNER_ONLY_FILE);
  if (await isStill(path, from)) {
    await place.calls.rename(staged, path);
    return true;
  }
  await place.calls.unlink(staged);
  return false;
}

async function isStill(path: string, bytes: Uint8Array | undefined): Promise<boolean> {
  const found = await readPrivateFile(path);
  return found !== undefined && (bytes === undefined || found.equals(bytes));
}

async function unlinkIfThere({ calls }: Place, path: string): Promise<boolean> {
  try {
    await calls.unlink(path);
    return true;
  } catch (error) {
    ignoreMissing(error);
    return false;
  }
}

/** `<object>~<id>`: so that a removal finds the staged files of the object. */
function stagedPath({ dir, newId }: Place, name: string): string {
  return join(dir, STAGING, `${basename(name)}~${newId()}`);
}

/** Removes those of the staged files; the removal is durable. */
async function removeStaged(
  place: Place,
  isWanted: (file: { readonly object: string; readonly mtimeMs: number }) => boolean,
): Promise<void> {
  const folder = join(place.dir, STAGING);
  const names = (await readdir(folder).catch(ignoreMissing)) ?? [];
  const removed = await inParallel(names, MAX_FILES_AT_ONCE, async (name) => {
    const found = await stat(join(folder, name)).catch(ignoreMissing);
    if (found === undefined) return false;
    const isDoomed = isWanted({ object: name.split('~')[0] ?? '', mtimeMs: found.mtimeMs });
    return isDoomed && unlinkIfThere(place, join(folder, name));
  });
  if (removed.includes(true)) await place.calls.sync(folder);
}

async function readFolder(path: string) {
  return (await readdir(path, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
}

async function flushFolders(place: Place, names: readonly string[]): Promise<void> {
  const folders = [...new Set(names.map((name) => dirname(join(place.dir, name))))];
  await makeFoldersOf(place, names);
  await inParallel(folders, MAX_FILES_AT_ONCE, (folder) => place.calls.sync(folder));
}

async function makeFoldersOf(place: Place, names: readonly string[]): Promise<void> {
  const folders = [...new Set(names.map(dirname))].filter((folder) => folder !== '.');
  const above = [...new Set(folders.map(dirname))].filter((folder) => folder !== '.');
  for (const folder of [...above, ...folders]) await makeFolder(place, join(place.dir, folder));
}

/**
 * Makes a folder and those above it that are missing, and flushes its name. One that is there is flushed once too: the
 * process that made it may have died before that.
 */
async function makeFolder(place: Place, path: string): Promise<void> {
  if (place.durable.has(path)) return;
  try {
    await place.calls.mkdir(path, OWNER_ONLY_FOLDER);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && !path.startsWith(join(place.dir, '/'))) {
      await makeFolder(place, dirname(path));
      return makeFolder(place, path);
    }
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  await place.calls.sync(dirname(path));
  if (path === place.dir || path.startsWith(join(place.dir, '/'))) await requirePrivateFolder(path);
  place.durable.add(path);
}
