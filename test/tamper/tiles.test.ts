import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockFileName } from '../../schemas/archive-lock.ts';
import { bundleKey, tileKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { formatLockFile } from '../../store/verify/lock-file.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { changeLock, overwrite, removeObject, replaceObject } from '../support/archive-folder.ts';
import { testLock } from '../support/ledger.ts';
import { describeArchiveCases, read, swapObjects, type ArchiveCase } from './archive-cases.ts';
import { copyOf, edited, putObject, removeCheckpoints, sealArchive, type SealedArchive } from './forge.ts';

/** Three full tiles, which end inside the bundles at 0, 300 and 600. */
const LONG = [300, 300, 200] as const;
const END = 800;
const [T0, T1, T2] = [0, 1, 2].map((index) => tileKey('p0', 0, index)) as [string, string, string];

async function putNew(dir: string, key: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(join(dir, key)), { recursive: true });
  await putObject(dir, key, bytes);
}

const TILES: readonly ArchiveCase[] = [
  {
    name: 'a tile removed',
    tamper: (dir) => removeObject(dir, T1),
    code: 'tile_missing',
    index: 256,
    names: T1,
  },
  {
    name: 'the last tile removed',
    tamper: (dir) => removeObject(dir, T2),
    code: 'tile_missing',
    index: 512,
    names: T2,
  },
  {
    name: 'all tiles removed, folders and all',
    tamper: (dir) => rm(join(dir, 'log/p0/tile'), { recursive: true }),
    code: 'tile_missing',
    index: 0,
    names: T0,
  },
  {
    name: 'a byte of a tile edited',
    tamper: async (dir) => overwrite(join(dir, T1), edited(await read(dir, T1), 8_000)),
    code: 'object_damaged',
    index: 256,
    names: T1,
  },
  {
    name: 'a byte of a tile edited, with a lock file that fits',
    tamper: async (dir) => replaceObject(dir, T1, edited(await read(dir, T1), 8_000)),
    code: 'tile_mismatch',
    index: 256,
    names: T1,
  },
  {
    name: 'a tile cut short, with a lock file that fits',
    tamper: async (dir) => replaceObject(dir, T1, (await read(dir, T1)).subarray(0, 8_160)),
    code: 'tile_mismatch',
    index: 256,
    names: T1,
  },
  {
    name: 'a tile with hashes before its own, with a lock file that fits',
    tamper: async (dir) => replaceObject(dir, T1, Buffer.concat([Buffer.alloc(32), await read(dir, T1)])),
    code: 'tile_mismatch',
    index: 256,
    names: T1,
  },
  {
    name: 'a tile with hashes behind its own, with a lock file that fits',
    tamper: async (dir) => replaceObject(dir, T1, Buffer.concat([await read(dir, T1), Buffer.alloc(32)])),
    code: 'tile_mismatch',
    index: 256,
    names: T1,
  },
  {
    name: 'a tile of no bytes, with a lock file that fits',
    tamper: (dir) => replaceObject(dir, T1, Buffer.alloc(0)),
    code: 'tile_mismatch',
    index: 256,
    names: T1,
  },
  {
    name: 'two tiles swapped, lock files and all',
    tamper: (dir) => swapObjects(dir, T0, T2),
    code: 'tile_mismatch',
    index: 0,
    names: T0,
  },
  {
    name: 'a tile without its lock file',
    tamper: async (dir) => rm(join(dir, lockFileName(T1, sha256Hex(await read(dir, T1))))),
    code: 'lock_missing',
    index: 256,
    names: T1,
  },
  {
    name: 'a tile under an earlier date than its bundle signed',
    tamper: (dir) => changeLock(dir, T1, () => ({ retain_until: '2027-01-01T00:00:00.000Z' })),
    code: 'lock_weakened',
    index: 256,
    names: T1,
  },
  {
    name: 'a tile behind the end of the log',
    tamper: (dir) => putNew(dir, tileKey('p0', 0, 3), Buffer.alloc(8_192)),
    code: 'bundle_missing',
    index: END,
    names: tileKey('p0', 0, 3),
  },
  {
    name: 'a tile of an upper level that is not full yet',
    tamper: (dir) => putNew(dir, tileKey('p0', 1, 0), Buffer.alloc(8_192)),
    code: 'bundle_missing',
    index: END,
    names: tileKey('p0', 1, 0),
  },
  {
    name: 'a tile of a level that cannot be',
    tamper: (dir) => putNew(dir, tileKey('p0', 6, 0), Buffer.alloc(8_192)),
    code: 'file_unexpected',
    index: null,
    names: tileKey('p0', 6, 0),
  },
  {
    name: 'a tile that is not full, as an object',
    tamper: (dir) => putNew(dir, `${T2}.p`, Buffer.alloc(32)),
    code: 'file_unexpected',
    index: null,
    names: `${T2}.p`,
  },
  {
    name: 'a folder in the place of a tile',
    tamper: async (dir) => {
      await removeObject(dir, T1);
      await mkdir(join(dir, T1));
    },
    code: 'tile_missing',
    index: 256,
    names: T1,
  },
  {
    name: 'an empty folder of tiles behind the end of the log',
    tamper: (dir) => mkdir(join(dir, 'log/p0/tile/0/00000000000/000/001'), { recursive: true }),
    code: 'bundle_missing',
    index: END,
    names: 'log/p0/tile/0/00000000000/000/001/',
  },
  {
    name: 'a second lock file beside a tile under a checkpoint',
    tamper: async (dir) => {
      const lock = { v: 1, key: T1, sha256: 'f'.repeat(64), size_bytes: 1, legal_hold: false } as const;
      await writeFile(join(dir, lockFileName(T1, lock.sha256)), formatLockFile({ ...lock, ...testLock() }));
    },
    code: 'file_unexpected',
    index: null,
    names: T1,
  },
];

describeArchiveCases('hash tiles', TILES, LONG);

describe('the hash tiles of an archive', () => {
  let sealed: SealedArchive;
  beforeAll(async () => {
    sealed = await sealArchive({ sizes: LONG });
  });
  afterAll(() => sealed.dispose());

  it('raise no alarm where the process died between the newest bundle and its tiles', async () => {
    const copy = await copyOf(sealed.dir);
    await removeObject(copy.dir, T2);
    await removeCheckpoints(copy.dir, [END]);
    const report = await verifyArchive({ dir: copy.dir });
    await copy.dispose();
    expect(report).toMatchObject({ ok: true, failures: [], notices: [{ code: 'unpublished_tail' }] });
  });

  it('are not named besides where the leaves below them are gone', async () => {
    const copy = await copyOf(sealed.dir);
    await removeObject(copy.dir, bundleKey('p0', 300));
    const report = await verifyArchive({ dir: copy.dir });
    await copy.dispose();
    expect(new Set(report.failures.map(({ code }) => code))).toEqual(
      new Set(['bundle_missing', 'file_unexpected']),
    );
    expect(report.failures.filter(({ detail }) => detail.includes('/tile/'))).toEqual([]);
  });
});
