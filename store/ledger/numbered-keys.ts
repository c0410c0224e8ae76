/** The numbered keys of a log in its archive: bundles by start index, checkpoints by tree size, tiles by index. */
import type { Archive } from '../archive/archive.ts';
import {
  bundleKey,
  bundlePrefix,
  checkpointKey,
  checkpointPrefix,
  lowestNumber,
  numberOfKey,
  SHARD_DIGITS,
  shardFolders,
  tileKey,
  tilePrefix,
} from '../chain/layout.ts';

/** Keys of one kind of objects of a log. */
export interface NumberedKeys {
  readonly prefix: string;
  readonly at: (number: number) => string;
}

export function bundleKeys(log: string): NumberedKeys {
  return { prefix: bundlePrefix(log), at: (start) => bundleKey(log, start) };
}

export function checkpointKeys(log: string): NumberedKeys {
  return { prefix: checkpointPrefix(log), at: (size) => checkpointKey(log, size) };
}

export function tileKeys(log: string, level: number): NumberedKeys {
  return { prefix: tilePrefix(log, level), at: (index) => tileKey(log, level, index) };
}

/** Numbers above `after`, rising. */
export async function* numbersAfter(
  archive: Archive,
  { prefix, at }: NumberedKeys,
  after: number,
): AsyncGenerator<number> {
  for await (const key of archive.list(prefix, after < 0 ? undefined : at(after))) yield numberOfKey(key);
}

/** A folder of numbered keys. */
interface ShardFolder {
  readonly path: string;
  /** The leading digits that the names of the folders above and its own give. */
  readonly digits: string;
  /** How many folders lie above it. */
  readonly depth: number;
}

/** The last number; undefined where there is none. Asks for one list of each level of folders, however long the log is. */
export function lastNumber(archive: Archive, { prefix }: NumberedKeys): Promise<number | undefined> {
  return lastIn(archive, { path: prefix, digits: '', depth: 0 }, Number.POSITIVE_INFINITY);
}

/**
 * The last number that is not above `upTo`; undefined where there is none. It most often lies in the folder of `upTo` or in
 * the one before: the search begins there.
 */
export async function lastNumberUpTo(
  archive: Archive,
  { prefix }: NumberedKeys,
  upTo: number,
): Promise<number | undefined> {
  const folders = shardFolders(prefix, upTo);
  for (let depth = folders.length; depth >= 0; depth -= 1) {
    const path = folders[depth - 1] ?? prefix;
    const digits = path.slice(prefix.length).replaceAll('/', '');
    // One level further in was searched before.
    const last = await lastIn(archive, { path, digits, depth }, upTo, folders[depth]);
    if (last !== undefined) return last;
  }
  return undefined;
}

async function lastIn(
  archive: Archive,
  { path, digits, depth }: ShardFolder,
  upTo: number,
  searched?: string,
): Promise<number | undefined> {
  const width = SHARD_DIGITS[depth];
  if (width === undefined) return lastListed(archive, path, upTo);
  for (const name of (await archive.folders(path)).toReversed()) {
    const inner = { path: `${path}${name}/`, digits: `${digits}${name}`, depth: depth + 1 };
    if (!isShard(name, width) || inner.path === searched || lowestNumber(inner.digits) > upTo) continue;
    const last = await lastIn(archive, inner, upTo);
    // A folder without objects stays where a writer died.
    if (last !== undefined) return last;
  }
  return undefined;
}

async function lastListed(archive: Archive, path: string, upTo: number): Promise<number | undefined> {
  let last: number | undefined;
  for await (const key of archive.list(path)) {
    const number = numberOfKey(key);
    if (number > upTo) break;
    last = number;
  }
  return last;
}

function isShard(name: string, width: number): boolean {
  return name.length === width && /^[0-9]+$/.test(name);
}
