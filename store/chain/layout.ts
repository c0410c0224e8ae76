/**
 * The keys of a log's objects in an archive. Numbers are zero-padded, so byte order is log order. Objects with a number lie
 * in folders that its leading digits name, and no folder holds more than a thousand. Pure.
 */
import { MAX_TILE_LEVEL, leavesUnder } from './tile.ts';

export type ObjectKind = 'genesis' | 'bundle' | 'checkpoint' | 'tile' | 'payload';

/**
 * A key, taken apart. `position` is the index of the first leaf for bundles and payload objects, the tree size for
 * checkpoints, the size of the smallest tree with the whole tile for tiles, and undefined for the genesis.
 */
export interface ParsedKey {
  readonly log: string;
  readonly folder: ObjectKind;
  readonly position: number | undefined;
}

/** A folder of a log, taken apart: the positions that keys below it may have, both inclusive. */
export interface ParsedFolder {
  readonly log: string;
  /** Undefined for the folder of the log. */
  readonly folder: ObjectKind | undefined;
  readonly first: number;
  readonly last: number;
}

/** Enough for any 64-bit number. */
const DIGITS = 20;
/**
 * The folders of a number are its leading digits, so many in each. The last three digits are left, and so a folder holds at
 * most a thousand names; the uppermost holds more only in a log of more than 10^12 leaves.
 */
export const SHARD_DIGITS: readonly number[] = [11, 3, 3];

const LOG = '[A-Za-z0-9_][A-Za-z0-9._-]*';
/** Folders whose objects have a number. */
const NUMBERED = `(?:bundle|checkpoint|payload|tile/[0-${String(MAX_TILE_LEVEL)}])`;
/** genesis | one of these, folders, 20 digits, and for payload objects a digest */
const KEY = new RegExp(
  `^log/(${LOG})/(?:(genesis)|(${NUMBERED})/([0-9]{11})/([0-9]{3})/([0-9]{3})/(\\4\\5\\6[0-9]{3})(-[0-9a-f]{16})?)$`,
);
const FOLDER = new RegExp(
  `^log/(${LOG})/(?:(tile)/|(${NUMBERED})/(?:([0-9]{11})/(?:([0-9]{3})/(?:([0-9]{3})/)?)?)?)?$`,
);

export const LOG_ROOT = 'log/';

function padIndex(index: number): string {
  return String(index).padStart(DIGITS, '0');
}

export function genesisKey(log: string): string {
  return `${LOG_ROOT}${log}/genesis`;
}

export function bundlePrefix(log: string): string {
  return `${LOG_ROOT}${log}/bundle/`;
}

export function bundleKey(log: string, startIndex: number): string {
  return numberedKey(bundlePrefix(log), startIndex);
}

/**
 * The key carries part of the digest, hex. A batch whose bundle was never created is sealed again with other nonces: the
 * payload objects of the first attempt stay behind, named by no bundle, and must not block the next attempt.
 */
export function payloadKey(log: string, startIndex: number, sha256: string): string {
  return `${numberedKey(`${LOG_ROOT}${log}/payload/`, startIndex)}-${sha256.slice(0, 16)}`;
}

export function checkpointPrefix(log: string): string {
  return `${LOG_ROOT}${log}/checkpoint/`;
}

export function checkpointKey(log: string, treeSize: number): string {
  return numberedKey(checkpointPrefix(log), treeSize);
}

export function tilePrefix(log: string, level: number): string {
  return `${LOG_ROOT}${log}/tile/${String(level)}/`;
}

/** Key of a full tile. Tiles that are not full are no objects. */
export function tileKey(log: string, level: number, index: number): string {
  return numberedKey(tilePrefix(log, level), index);
}

/** The folders of a number below `prefix`, outermost first: each ends in a slash. */
export function shardFolders(prefix: string, number: number): string[] {
  const digits = padIndex(number);
  const folders: string[] = [];
  let from = 0;
  for (const count of SHARD_DIGITS) {
    folders.push(`${folders.at(-1) ?? prefix}${digits.slice(from, from + count)}/`);
    from += count;
  }
  return folders;
}

function numberedKey(prefix: string, number: number): string {
  return `${shardFolders(prefix, number).at(-1) ?? prefix}${padIndex(number)}`;
}

/** The number that a numbered key without a digest ends in. */
export function numberOfKey(key: string): number {
  return Number(key.slice(-DIGITS));
}

/** The lowest number whose digits begin like this. */
export function lowestNumber(leadingDigits: string): number {
  return Number(leadingDigits.padEnd(DIGITS, '0'));
}

/** The part of a key before the folders of its number, or else its folder: keys that follow each other in a log share it. */
export function seriesOf(key: string): string {
  return key.replace(/(?:(?:\/[0-9]+){3})?\/[^/]*$/, '/');
}

/** Undefined where the text is not a key of an archive. */
export function parseKey(key: string): ParsedKey | undefined {
  const [, log, genesis, path, , , , digits, digest] = KEY.exec(key) ?? [];
  if (log === undefined) return undefined;
  if (genesis !== undefined || path === undefined) return { log, folder: 'genesis', position: undefined };
  const folder = kindOf(path);
  const position = positionOf(path, Number(digits));
  const hasDigest = digest !== undefined;
  if (!Number.isSafeInteger(position) || hasDigest !== (folder === 'payload')) return undefined;
  return { log, folder, position };
}

function kindOf(path: string): ObjectKind {
  return path.split('/')[0] as ObjectKind;
}

/** `path`: the folders between the log and the number. */
function positionOf(path: string, number: number): number {
  const [folder, level] = path.split('/');
  return folder === 'tile' ? (number + 1) * leavesUnder(Number(level)) : number;
}

/** Undefined where the archive makes no folder of this name. The name ends in a slash. */
export function parseFolder(name: string): ParsedFolder | undefined {
  const [, log, outer, path = outer, ...shards] = FOLDER.exec(name) ?? [];
  if (log === undefined) return undefined;
  const digits = shards.join('');
  const last = Number(digits.padEnd(DIGITS, '9'));
  if (path === undefined) return { log, folder: undefined, first: 0, last };
  const isAnyLevel = path === 'tile';
  return {
    log,
    folder: kindOf(path),
    first: isAnyLevel ? 0 : positionOf(path, lowestNumber(digits)),
    last: isAnyLevel ? last : positionOf(path, last),
  };
}
