import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initKeyStore } from '../../../../store/data-keys/init-key-store.ts';
import { openFileMasterKeys } from '../../../../store/data-keys/local/file-master-keys.ts';
import { openLocalKeyObjects } from '../../../../store/data-keys/local/key-objects.ts';
import { keyStoreContract } from '../../../contract/key-store.contract.ts';
import { flushedBy } from '../../../support/flushed.ts';
import { addressOf, nameOf, openTestKeyStore } from '../../../support/key-store.ts';

const open = (dir: string) =>
  openLocalKeyObjects({ dir, purpose: 'begin', clock: Date.now, newId: randomUUID });

keyStoreContract('a local folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'affidavit-keys-'));
  return {
    open: () => open(join(root, 'not', 'there', 'yet')),
    dispose: () => rm(root, { recursive: true }),
  };
});

describe('the files of a local key store', () => {
  let root: string;
  let dir: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'affidavit-keys-'));
    dir = join(root, 'store');
  });

  afterEach(() => rm(root, { recursive: true }));

  it('are never in a new folder unless the store is begun: an empty one holds none of the keys', async () => {
    const opening = openLocalKeyObjects({ dir, clock: Date.now, newId: randomUUID });
    await expect(opening).rejects.toMatchObject({ code: 'START_REFUSED' });
    await expect(stat(dir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('are opened without a write, so that a read-only copy serves a verification', async () => {
    await open(dir);
    await rm(join(dir, '.staging'), { recursive: true, force: true });
    await openLocalKeyObjects({ dir, clock: Date.now, newId: randomUUID });
    expect(await readdir(dir)).toEqual([]);
  });

  it('are files: a pipe in the place of one is damage, and nobody waits for it', async () => {
    const objects = await open(dir);
    execFileSync('mkfifo', ['-m', '600', join(dir, 'master-key')]);
    await expect(objects.read(['master-key'])).rejects.toMatchObject({ code: 'KEY_STORE_DAMAGED' });
  });

  const openStore = async () => {
    const objects = await open(dir);
    const masterKeys = openFileMasterKeys({ dir: join(root, 'master-keys'), randomBytes });
    const id = await initKeyStore(objects, masterKeys);
    return { objects, masterKeys, id, store: await openTestKeyStore(objects, masterKeys) };
  };

  it('include no tombstone under the name of another subject', async () => {
    const { store, objects } = await openStore();
    const [jane = '', john = ''] = await store.subjects([nameOf('jane'), nameOf('john')]);
    await store.destroy({ subject: jane });
    const bytes = await readFile(join(dir, 'destroyed-subjects', jane.slice(0, 1), jane));
    await objects.create([{ name: `destroyed-subjects/${john.slice(0, 1)}/${john}`, bytes }]);
    await expect(store.find([addressOf(john)])).rejects.toMatchObject({ code: 'KEY_STORE_DAMAGED' });
  });

  it('are for their owner alone, whatever the mask of the process', async () => {
    const before = process.umask(0);
    try {
      const { store } = await openStore();
      const [jane] = await store.subjects([nameOf('jane')]);
      await store.keysFor([addressOf(jane!), addressOf(null)]);
      await store.destroy({ subject: jane! });
      const names = await readdir(root, { recursive: true, withFileTypes: true });
      expect(names.filter((entry) => entry.isFile()).length).toBeGreaterThan(3);
      for (const entry of names) {
        const mode = (await stat(join(entry.parentPath, entry.name))).mode & 0o777;
        expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600]);
      }
    } finally {
      process.umask(before);
    }
  });

  it.each([0o750, 0o701, 0o770, 0o755])('are refused in a folder of mode %o', async (mode) => {
    await openStore();
    await chmod(dir, mode);
    await expect(open(dir)).rejects.toMatchObject({
      code: 'KEY_STORE_EXPOSED',
      place: dir,
      hint: expect.stringContaining('0700') as string,
    });
  });

  it.each([0o640, 0o604, 0o620, 0o666])(
    'are refused with mode %o, also under a running process',
    async (mode) => {
      const { store } = await openStore();
      await store.keysFor([addressOf(null)]);
      const path = join(dir, 'class-keys', 'content.2026-11');
      await chmod(path, mode);
      const fresh = (await openStore()).store;
      await expect(fresh.find([addressOf(null)])).rejects.toMatchObject({
        code: 'KEY_STORE_EXPOSED',
        place: path,
      });
      await expect(fresh.keysFor([addressOf(null)])).rejects.toMatchObject({ code: 'KEY_STORE_EXPOSED' });
    },
  );

  it('are refused when the master key or its folder is open to others', async () => {
    const { id } = await openStore();
    const file = join(root, 'master-keys', id);
    await chmod(file, 0o644);
    await expect(openStore()).rejects.toMatchObject({ code: 'KEY_STORE_EXPOSED', place: file });
    await chmod(file, 0o600);
    await chmod(join(root, 'master-keys'), 0o755);
    await expect(openStore()).rejects.toMatchObject({ code: 'KEY_STORE_EXPOSED' });
  });

  it('are not read through a symbolic link', async () => {
    const { store } = await openStore();
    await store.keysFor([addressOf(null)]);
    const path = join(dir, 'class-keys', 'content.2026-11');
    await rename(path, join(root, 'elsewhere'));
    await symlink(join(root, 'elsewhere'), path);
    const fresh = (await openStore()).store;
    await expect(fresh.find([addressOf(null)])).rejects.toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
  });

  it('leave nothing in the staging folder; a file of a dead process goes after a day, or with its key', async () => {
    const { store } = await openStore();
    const [jane] = await store.subjects([nameOf('jane')]);
    await store.keysFor([addressOf(jane!)]);
    const staging = join(dir, '.staging');
    expect(await readdir(staging)).toEqual([]);
    const left = [`${jane!}.content.2026-11~dead`, 'young~dead', 'old~dead'];
    for (const name of left) await writeFile(join(staging, name), 'x', { mode: 0o600 });
    await utimes(join(staging, 'old~dead'), 0, 0);
    await store.destroy({ subject: jane! });
    expect((await readdir(staging)).sort()).toEqual(['old~dead', 'young~dead']);
    await open(dir);
    expect(await readdir(staging)).toEqual(['young~dead']);
  });

  it('are neither read nor written where another folder stands in their place', async () => {
    const { store } = await openStore();
    await store.keysFor([addressOf(null)]);
    await rename(dir, join(root, 'moved'));
    const unavailable = { code: 'KEY_STORE_UNAVAILABLE' };
    await expect(store.find([addressOf(null, 'person')])).rejects.toMatchObject(unavailable);
    await mkdir(dir, { mode: 0o700 });
    await expect(store.find([addressOf(null, 'person')])).rejects.toMatchObject(unavailable);
    await expect(store.keysFor([addressOf(null, 'person')])).rejects.toMatchObject(unavailable);
    await expect(store.destroy({ name: nameOf('jane') })).rejects.toMatchObject(unavailable);
    expect(await readdir(dir)).toEqual([]);
    await rm(dir, { recursive: true });
    await rename(join(root, 'moved'), dir);
    expect(await store.keysFor([addressOf(null, 'person')])).toHaveLength(1);
  });

  it('say KEY_STORE_UNAVAILABLE when the medium refuses', async () => {
    const { store } = await openStore();
    await writeFile(join(dir, 'class-keys'), 'no folder', { mode: 0o600 });
    await expect(store.keysFor([addressOf(null)])).rejects.toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
  });

  it.skipIf(process.platform !== 'linux')(
    'have their folder flushed before a key that is found is given for sealing: its writer may have died before that',
    async () => {
      const { store } = await openStore();
      await store.keysFor([addressOf(null)]);
      const fresh = (await openStore()).store;
      const flushed = await flushedBy(async () => {
        await fresh.keysFor([addressOf(null)]);
      });
      expect(flushed).toContain(await realpath(join(dir, 'class-keys')));
    },
  );

  it('hold a master key of the name of its file, and no other', async () => {
    const { id, masterKeys } = await openStore();
    const file = join(root, 'master-keys', id);
    for (const text of [
      '',
      'x',
      `${randomBytes(32).toString('base64url')}\n`,
      randomBytes(31).toString('base64url'),
    ]) {
      await writeFile(file, text);
      await expect(masterKeys.find(id)).rejects.toMatchObject({ code: 'KEY_STORE_DAMAGED', place: file });
    }
    expect(await masterKeys.find('0'.repeat(32))).toBeUndefined();
  });
});
