import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lockFileName } from '../../schemas/archive-lock.ts';
import { bundleKey, checkpointKey, genesisKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { overwrite, removeObject } from '../support/archive-folder.ts';
import {
  describeArchiveCases,
  exchanged,
  header,
  read,
  replaceBy,
  swapObjects,
  type ArchiveCase,
} from './archive-cases.ts';
import { edited, forgeBundle, payloadOf, readBundle, removeCheckpoints } from './forge.ts';

const ROOT = 'f'.repeat(64);
const lockOf = async (dir: string, key: string) => lockFileName(key, sha256Hex(await read(dir, key)));

const leaves = (start: number, change: (texts: string[]) => string[]) => (dir: string) =>
  forgeBundle(dir, start, ({ leafTexts }) => ({ leafTexts: change([...leafTexts]) }));

const B10 = bundleKey('p0', 10);

const ACCIDENTS: readonly ArchiveCase[] = [
  {
    name: 'a bundle with one byte edited',
    tamper: async (dir) => overwrite(join(dir, B10), edited(await read(dir, B10), 40)),
    code: 'object_damaged',
    index: 10,
    names: B10,
  },
  {
    name: 'a bundle cut in half',
    tamper: async (dir) => overwrite(join(dir, B10), (await read(dir, B10)).subarray(0, 200)),
    code: 'object_damaged',
    index: 10,
    names: B10,
  },
  {
    name: 'a bundle without its lock file',
    tamper: async (dir) => rm(join(dir, await lockOf(dir, B10))),
    code: 'lock_missing',
    index: 10,
    names: B10,
  },
  {
    name: 'a lock file with an earlier retention date',
    tamper: async (dir) => {
      const lock = join(dir, await lockOf(dir, B10));
      await overwrite(lock, (await readFile(lock, 'utf8')).replace('2033', '2023'));
    },
    code: 'lock_damaged',
    index: 10,
    names: B10,
  },
  {
    name: 'a file that the format has no place for',
    tamper: (dir) => writeFile(join(dir, 'log/p0/bundle/notes.txt'), 'x'),
    code: 'file_unexpected',
    index: null,
    names: 'log/p0/bundle/notes.txt',
  },
];

async function replaceByFolder(dir: string, key: string): Promise<void> {
  await rm(join(dir, key));
  await mkdir(join(dir, key));
}

const makeFolder = (key: string) => (dir: string) => mkdir(join(dir, key), { recursive: true });

async function putFile(dir: string, key: string): Promise<void> {
  await mkdir(dirname(join(dir, key)), { recursive: true });
  await writeFile(join(dir, key), 'x');
}

const FOLDERS: readonly ArchiveCase[] = [
  {
    name: 'a folder in the place of a bundle',
    tamper: (dir) => replaceByFolder(dir, B10),
    code: 'bundle_missing',
    index: 10,
  },
  {
    name: 'a folder in the place of a bundle, by its name',
    tamper: (dir) => replaceByFolder(dir, B10),
    code: 'file_unexpected',
    index: null,
    first: 10,
    names: `${B10}/`,
  },
  {
    name: 'a folder in the place of the genesis',
    tamper: (dir) => replaceByFolder(dir, genesisKey('p0')),
    code: 'genesis_malformed',
    index: null,
  },
  {
    name: 'a folder in the place of a checkpoint',
    tamper: (dir) => replaceByFolder(dir, checkpointKey('p0', 15)),
    code: 'checkpoint_missing',
    index: null,
  },
  {
    name: 'a folder in the place of the payload object of a bundle',
    tamper: async (dir) => replaceByFolder(dir, await payloadOf(dir, 10)),
    code: 'payload_missing',
    index: 10,
  },
  {
    name: 'a folder in the place of a lock file',
    tamper: async (dir) => replaceByFolder(dir, await lockOf(dir, B10)),
    code: 'lock_missing',
    index: 10,
  },
  {
    name: 'an empty folder that the format has no place for',
    tamper: makeFolder('log/p0/notes'),
    code: 'file_unexpected',
    index: null,
    names: 'log/p0/notes/',
  },
  {
    name: 'an empty folder beside the logs',
    tamper: makeFolder('notes/of/mine'),
    code: 'file_unexpected',
    index: null,
    names: 'notes/of/mine/',
  },
  {
    name: 'an empty folder of bundles behind the end of the log',
    tamper: makeFolder('log/p0/bundle/00000000000/000/001'),
    code: 'bundle_missing',
    index: 30,
    names: 'log/p0/bundle/00000000000/000/001/ was written after leaves that are not there',
  },
  {
    name: 'a lock file alone in the folder of another log',
    tamper: (dir) => putFile(dir, `log/other/x.${ROOT}.lock`),
    code: 'file_unexpected',
    index: null,
    names: `log/other/x.${ROOT}.lock`,
  },
  {
    name: 'the lock file of a bundle alone in the folder of another log',
    tamper: (dir) => putFile(dir, `${bundleKey('other', 0)}.${ROOT}.lock`),
    code: 'file_unexpected',
    index: null,
    names: `${bundleKey('other', 0)}.${ROOT}.lock`,
  },
  {
    name: 'a file that only ends like a lock file',
    tamper: (dir) => putFile(dir, `${bundleKey('p0', 30)}.${'z'.repeat(64)}.lock`),
    code: 'file_unexpected',
    index: null,
    names: `${'z'.repeat(64)}.lock`,
  },
];

const BUNDLES: readonly ArchiveCase[] = [
  {
    name: 'the first bundle removed',
    tamper: (dir) => removeObject(dir, bundleKey('p0', 0)),
    code: 'bundle_missing',
    index: 0,
    names: 'no bundle at 0',
  },
  {
    name: 'a bundle removed from the middle',
    tamper: (dir) => removeObject(dir, B10),
    code: 'bundle_missing',
    index: 10,
    names: 'no bundle at 10',
  },
  {
    name: 'the last bundle removed',
    tamper: (dir) => removeObject(dir, bundleKey('p0', 23)),
    code: 'bundle_missing',
    index: 23,
    names: 'a head of 30 leaves was signed',
  },
  {
    name: 'the last two bundles and their checkpoints removed, their payloads left behind',
    tamper: async (dir) => {
      for (const start of [15, 23]) await removeObject(dir, bundleKey('p0', start));
      await removeCheckpoints(dir, [23, 30]);
    },
    code: 'bundle_missing',
    index: 15,
    names: 'was written after leaves that are not there',
  },
  {
    name: 'two bundles swapped, lock files and all',
    tamper: (dir) => swapObjects(dir, bundleKey('p0', 4), bundleKey('p0', 15)),
    code: 'bundle_misplaced',
    index: 4,
    names: `${bundleKey('p0', 4)} holds the bundle of 15`,
  },
  {
    name: 'two bundles renamed into each other’s place',
    tamper: async (dir) => {
      const [left, right] = [join(dir, bundleKey('p0', 4)), join(dir, B10)];
      await rename(left, `${left}.aside`);
      await rename(right, left);
      await rename(`${left}.aside`, right);
    },
    code: 'object_damaged',
    index: 4,
    names: bundleKey('p0', 4),
  },
  {
    name: 'a bundle replaced by an older one',
    tamper: (dir) => replaceBy(dir, bundleKey('p0', 23), B10),
    code: 'bundle_misplaced',
    index: 23,
    names: 'holds the bundle of 10',
  },
  {
    name: 'a leaf edited',
    tamper: leaves(10, (texts) => texts.with(2, texts[2]!.replace('"hook"', '"otel"'))),
    code: 'root_mismatch',
    index: 10,
    names: 'leaves 10 to 14',
  },
  {
    name: 'two leaves of a bundle swapped',
    tamper: leaves(10, (texts) => exchanged(texts, 1, 3)),
    code: 'root_mismatch',
    index: 10,
    names: 'leaves 10 to 14',
  },
  {
    name: 'a leaf of an older bundle replayed in place of another',
    tamper: async (dir) => {
      const [older] = (await readBundle(dir, 4)).leafTexts;
      await leaves(10, (texts) => texts.with(0, older!))(dir);
    },
    code: 'root_mismatch',
    index: 10,
  },
  ...(['first', 'middle', 'last'] as const).map((which, place): ArchiveCase => ({
    name: `the ${which} leaf of a bundle dropped`,
    tamper: leaves(10, (texts) => texts.toSpliced(place * 2, 1)),
    code: 'bundle_malformed',
    index: 10,
    names: 'the bundle at 10',
  })),
  {
    name: 'a leaf dropped and the header counted down',
    tamper: async (dir) => {
      await leaves(10, (texts) => texts.slice(0, -1))(dir);
      await header(10, { leaf_count: 4, tree_size: 14 })(dir);
    },
    code: 'root_mismatch',
    index: 10,
  },
  {
    name: 'a leaf duplicated',
    tamper: leaves(10, (texts) => [...texts, texts[0]!]),
    code: 'bundle_malformed',
    index: 10,
  },
  {
    name: 'a leaf with white space',
    tamper: leaves(10, (texts) => texts.with(1, texts[1]!.replace('{', '{ '))),
    code: 'leaf_malformed',
    index: 11,
    // The root does not fit either, and speaks for the bundle as a whole.
    first: 10,
    names: 'leaf 2 of the bundle at 10',
  },
  {
    name: 'another root in the header',
    tamper: header(10, { root_hash: ROOT }),
    code: 'root_mismatch',
    index: 10,
  },
  {
    name: 'another chain head in the header',
    tamper: header(10, { chain_head: ROOT }),
    code: 'root_mismatch',
    index: 10,
  },
  {
    name: 'another frontier in the header',
    tamper: header(10, { frontier: [ROOT, ROOT, ROOT, ROOT] }),
    code: 'root_mismatch',
    index: 10,
  },
  {
    name: 'a header of another log',
    tamper: header(10, { origin: 'other.example/p0' }),
    code: 'bundle_malformed',
    index: 10,
  },
];

describeArchiveCases('folders and lock files that are no objects', FOLDERS);
describeArchiveCases('files', ACCIDENTS);
describeArchiveCases('bundles and their leaves', BUNDLES);
