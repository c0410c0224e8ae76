/** A copy that stands in place of the archive's folder for moments, as with a mount that comes and goes. */
import type * as files from 'node:fs/promises';
import { cp, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openLocalArchive } from '../../../../store/archive/local/archive.ts';
import type { Archive } from '../../../../store/archive/archive.ts';
import { testLock } from '../../../support/ledger.ts';

/** Called around the first and the last step of a put, and around a read. Set by a test. */
const hooks = vi.hoisted(() => ({
  before: undefined as (() => Promise<void>) | undefined,
  after: undefined as (() => Promise<void>) | undefined,
}));

vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof files>();
  const take = (name: 'before' | 'after') => {
    const hook = hooks[name];
    hooks[name] = undefined;
    return hook?.();
  };
  let links = 0;
  return {
    ...real,
    mkdtemp: async (prefix: string) => {
      links = 0;
      await take('before');
      return real.mkdtemp(prefix);
    },
    link: async (from: string, to: string) => {
      await real.link(from, to);
      links += 1;
      if (links === 2) await take('after');
    },
    readFile: async (path: string, ...others: []) => {
      await take('before');
      const bytes = await real.readFile(path, ...others).finally(() => take('after'));
      return bytes;
    },
  };
});

const KEY = 'log/p0/bundle/00000000000000000000';
const OTHER = 'log/p0/bundle/00000000000000000001';
let root: string;
let archive: Archive;
const at = (name: string) => join(root, name);

async function exchange(): Promise<void> {
  await rename(at('archive'), at('true'));
  await rename(at('copy'), at('archive'));
}

async function bringBack(): Promise<void> {
  await rename(at('archive'), at('copy'));
  await rename(at('true'), at('archive'));
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'affidavit-swapped-'));
  archive = await openLocalArchive({ dir: at('archive'), clock: () => Date.UTC(2026, 2, 3) });
  await archive.put(KEY, Buffer.from('first'), testLock());
  await cp(at('archive'), at('copy'), { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

it('answers no put whose object went into the copy, though the true folder is back', async () => {
  Object.assign(hooks, { before: exchange, after: bringBack });
  const put = archive.put(OTHER, Buffer.from('second'), testLock());
  await expect(put).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  expect(await readdir(at('copy/log/p0/bundle'))).toContain(OTHER.split('/').at(-1));
  expect(await archive.get(OTHER)).toBeUndefined();
  expect(await archive.put(OTHER, Buffer.from('third'), testLock())).toBe('created');
});

it('answers no put while the copy is there', async () => {
  hooks.before = exchange;
  const put = archive.put(OTHER, Buffer.from('second'), testLock());
  await expect(put).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  await bringBack();
  expect(await archive.get(OTHER)).toBeUndefined();
});

it('takes no object of one folder beside the lock file of the other for damage', async () => {
  await archive.put(OTHER, Buffer.from('second'), testLock());
  await rm(at('copy'), { recursive: true });
  await cp(at('archive'), at('copy'), { recursive: true });
  await rm(at('copy/log/p0/bundle'), { recursive: true });
  hooks.after = exchange;
  hooks.before = undefined;
  const got = archive.get(OTHER);
  await expect(got).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  await bringBack();
  expect(Buffer.from((await archive.get(OTHER))!).toString()).toBe('second');
});

it('takes nothing that the copy lacks for missing', async () => {
  await archive.put(OTHER, Buffer.from('second'), testLock());
  hooks.before = exchange;
  await expect(archive.get(OTHER)).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  await bringBack();
  expect(Buffer.from((await archive.get(OTHER))!).toString()).toBe('second');
});
