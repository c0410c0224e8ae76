import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFileName, STAGING_FOLDER } from '../../../../schemas/archive-lock.ts';
import type { ArchiveLock } from '../../../../schemas/archive-lock.ts';
import { sha256Hex } from '../../../../store/chain/leaf.ts';
import { formatLockFile, parseLockFile } from '../../../../store/verify/lock-file.ts';
import { openLocalArchive } from '../../../../store/archive/local/archive.ts';
import { archiveContract } from '../../../contract/archive.contract.ts';
import { flushedBy } from '../../../support/flushed.ts';

const LOCK: ArchiveLock = { mode: 'compliance', retain_until: '2033-01-01T00:00:00.000Z' };
const NOW = Date.parse('2026-11-21T12:00:00Z');
const clock = () => NOW;

async function overwrite(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await chmod(path, 0o644);
  await writeFile(path, change(await readFile(path)));
}

archiveContract('the local folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'affidavit-archive-'));
  const dir = join(root, 'not', 'there', 'yet');
  return {
    open: () => openLocalArchive({ dir, clock }),
    damage: (key) =>
      overwrite(join(dir, key), (bytes) => {
        bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
        return bytes;
      }),
    dispose: () => rm(root, { recursive: true }),
  };
});

describe('the files of the local archive', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-archive-'));
  });

  afterEach(() => rm(dir, { recursive: true }));

  const lockPath = (key: string, text: string) => join(dir, lockFileName(key, sha256Hex(text)));

  it.skipIf(process.platform !== 'linux')(
    'have their folder flushed before a put that finds them is answered: its writer may have died before that',
    async () => {
      const first = await openLocalArchive({ dir, clock });
      await first.put('log/p0/genesis', Buffer.from('a'), LOCK);
      const again = await openLocalArchive({ dir, clock });
      const flushed = await flushedBy(async () =>
        expect(await again.put('log/p0/genesis', Buffer.from('a'), LOCK)).toBe('exists'),
      );
      expect(flushed.at(-1)).toBe(await realpath(join(dir, 'log', 'p0')));
      expect(flushed.filter((path) => path === flushed.at(-1))).toHaveLength(2);
    },
  );

  it('are readable by their owner alone, in folders that nobody else may enter', async () => {
    const before = process.umask(0);
    try {
      const root = join(dir, 'made', 'archive');
      const archive = await openLocalArchive({ dir: root, clock });
      await archive.put('log/p0/genesis', Buffer.from('hello'), LOCK);
      const names = await readdir(dir, { recursive: true, withFileTypes: true });
      expect(names.map(({ name }) => name)).toEqual(expect.arrayContaining(['made', 'genesis', '.staging']));
      for (const entry of names) {
        const mode = (await stat(join(entry.parentPath, entry.name))).mode & 0o777;
        expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o400]);
      }
    } finally {
      process.umask(before);
    }
  });

  it('are read-only, and the lock file says what it locks and until when', async () => {
    const archive = await openLocalArchive({ dir, clock });
    await archive.put('log/p0/genesis', Buffer.from('hello'), LOCK);
    for (const path of [join(dir, 'log/p0/genesis'), lockPath('log/p0/genesis', 'hello')]) {
      expect((await stat(path)).mode & 0o777).toBe(0o400);
    }
    expect(parseLockFile(await readFile(lockPath('log/p0/genesis', 'hello'), 'utf8'))).toEqual({
      v: 1,
      key: 'log/p0/genesis',
      sha256: sha256Hex('hello'),
      size_bytes: 5,
      ...LOCK,
      legal_hold: false,
    });
  });

  it('leave nothing in the staging folder, neither after success nor after a conflict', async () => {
    const archive = await openLocalArchive({ dir, clock });
    await archive.put('a', Buffer.from('1'), LOCK);
    await archive.put('a', Buffer.from('2'), LOCK).catch(() => undefined);
    expect(await readdir(join(dir, STAGING_FOLDER))).toEqual([]);
    expect((await readdir(dir)).sort()).toEqual(
      [STAGING_FOLDER, 'a', lockFileName('a', sha256Hex('1'))].sort(),
    );
  });

  it('get a later date when the same bytes are put with one, never an earlier one', async () => {
    const archive = await openLocalArchive({ dir, clock });
    const until = async (retain_until: string) => {
      await archive.put('a', Buffer.from('1'), { mode: 'compliance', retain_until });
      return parseLockFile(await readFile(lockPath('a', '1'), 'utf8'))?.retain_until;
    };
    expect(await until('2030-01-01T00:00:00Z')).toBe('2030-01-01T00:00:00Z');
    expect(await until('2031-01-01T00:00:00Z')).toBe('2031-01-01T00:00:00Z');
    expect(await until('2029-01-01T00:00:00Z')).toBe('2031-01-01T00:00:00Z');
  });

  it('do not block a retry with other bytes when a crash left a lock file without its object', async () => {
    const archive = await openLocalArchive({ dir, clock });
    const left = {
      v: 1,
      key: 'a',
      sha256: sha256Hex('lost'),
      size_bytes: 4,
      ...LOCK,
      legal_hold: false,
    } as const;
    await writeFile(lockPath('a', 'lost'), formatLockFile(left));
    expect(await archive.get('a')).toBeUndefined();
    expect(await archive.put('a', Buffer.from('retried'), LOCK)).toBe('created');
    expect(await archive.get('a')).toEqual(Buffer.from('retried'));
  });

  it('read as damaged when the lock file is missing, cut or changed', async () => {
    const archive = await openLocalArchive({ dir, clock });
    await archive.put('a', Buffer.from('1'), LOCK);
    const path = lockPath('a', '1');
    const good = await readFile(path);
    const damaged = { code: 'ARCHIVE_DAMAGED' };
    for (let place = 0; place < good.length; place += 1) {
      await overwrite(path, () => good.with(place, good[place]! ^ 4) as Buffer);
      await expect(archive.get('a')).rejects.toMatchObject(damaged);
    }
    await overwrite(path, () => good.subarray(0, -1));
    await expect(archive.get('a')).rejects.toMatchObject(damaged);
    await rm(path);
    await expect(archive.get('a')).rejects.toMatchObject(damaged);
  });

  it('keep what another process is staging and lose what a dead one left a day ago', async () => {
    const staging = join(dir, STAGING_FOLDER);
    for (const [name, ageMs] of [
      ['put-young', 60_000],
      ['put-old', 25 * 60 * 60 * 1000],
    ] as const) {
      await mkdir(join(staging, name), { recursive: true });
      await writeFile(join(staging, name, 'object'), 'half');
      await utimes(join(staging, name), (NOW - ageMs) / 1000, (NOW - ageMs) / 1000);
    }
    await openLocalArchive({ dir, clock });
    expect(await readdir(staging)).toEqual(['put-young']);
  });

  it('are neither read nor written below a path where the folder was replaced, and the folder is not made again', async () => {
    const root = join(dir, 'archive');
    const archive = await openLocalArchive({ dir: root, clock });
    await archive.put('a', Buffer.from('1'), LOCK);
    await rename(root, join(dir, 'moved'));
    const unavailable = { code: 'ARCHIVE_UNAVAILABLE' };
    for (const replace of [() => Promise.resolve(), () => mkdir(root)]) {
      await replace();
      await expect(archive.put('b', Buffer.from('2'), LOCK)).rejects.toMatchObject(unavailable);
      await expect(archive.get('a')).rejects.toMatchObject(unavailable);
      await expect(archive.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject(unavailable);
    }
    expect(await readdir(root)).toEqual([]);
    await rm(root, { recursive: true });
    await rename(join(dir, 'moved'), root);
    expect(await archive.put('b', Buffer.from('2'), LOCK)).toBe('created');
  });

  it('say ARCHIVE_UNAVAILABLE when the medium refuses', async () => {
    const archive = await openLocalArchive({ dir, clock });
    await writeFile(join(dir, 'file'), 'no folder');
    await expect(archive.put('file/x', Buffer.from('1'), LOCK)).rejects.toMatchObject({
      code: 'ARCHIVE_UNAVAILABLE',
    });
    await expect(openLocalArchive({ dir: join(dir, 'file'), clock })).rejects.toMatchObject({
      code: 'ARCHIVE_UNAVAILABLE',
    });
  });

  it('are whole after kill -9 at any moment: every key a child reported is there, and every object reads', async () => {
    const script = join(import.meta.dirname, '../../../support/put-until-killed.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let reported = '';
    for await (const chunk of child.stdout) {
      reported += String(chunk);
      if (reported.split('\n').length > 60) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const archive = await openLocalArchive({ dir, clock });
    const keys: string[] = [];
    for await (const key of archive.list('')) {
      keys.push(key);
      expect((await archive.get(key))?.length).toBe(5000);
    }
    const done = reported.split('\n').slice(0, -1);
    expect(done.length).toBeGreaterThan(50);
    expect(keys).toEqual(expect.arrayContaining(done));
    // Eight puts are in flight at a time; whatever they left must let the same keys be put with other bytes.
    for (const key of keys.slice(-1)) {
      await expect(archive.put(key, Buffer.from('x'), LOCK)).rejects.toMatchObject({
        code: 'ARCHIVE_CONFLICT',
      });
    }
    const next = Array.from(
      { length: 16 },
      (_, index) => `k/${String(keys.length + index).padStart(6, '0')}`,
    );
    for (const key of next.filter((candidate) => !keys.includes(candidate))) {
      expect(await archive.put(key, Buffer.from('fresh'), LOCK)).toBe('created');
    }
  });
});
