import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeToOthers } from '../../app/folder-modes.ts';
import { loadConfig } from '../../config.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let before: number;
beforeEach(async () => {
  before = process.umask(0o022);
  folder = await makeTempDir();
});
afterEach(async () => {
  process.umask(before);
  await folder.remove();
});

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe('the data folder', () => {
  it('is closed to other users where it was open, with the folders in it, and the log says so', async () => {
    const archive = join(folder.path, 'archive');
    const keys = join(folder.path, 'keys');
    await mkdir(archive, { mode: 0o755 });
    await mkdir(keys, { mode: 0o700 });
    await chmod(folder.path, 0o755);
    await chmod(archive, 0o750);
    const { logger, lines } = createTestLogger();
    await closeToOthers({ config: loadConfig(undefined, { AFFIDAVIT_DATA: folder.path }), logger });
    expect(await Promise.all([folder.path, archive, keys].map(modeOf))).toEqual([0o700, 0o700, 0o700]);
    expect(lines.map(({ path, before: was }) => [path, was])).toEqual([
      [folder.path, '0755'],
      [archive, '0750'],
    ]);
  });

  it('that is closed already stays as it is, and nothing is logged', async () => {
    const { logger, lines } = createTestLogger();
    await chmod(folder.path, 0o500);
    await closeToOthers({ config: loadConfig(undefined, { AFFIDAVIT_DATA: folder.path }), logger });
    expect(await modeOf(folder.path)).toBe(0o500);
    expect(lines).toEqual([]);
  });

  it('gets no file from this process that others may read', async () => {
    const config = loadConfig(undefined, { AFFIDAVIT_DATA: folder.path });
    await closeToOthers({ config, logger: createTestLogger().logger });
    await writeFile(join(folder.path, 'file'), '');
    await mkdir(join(folder.path, 'folder'));
    expect(await modeOf(join(folder.path, 'file'))).toBe(0o600);
    expect(await modeOf(join(folder.path, 'folder'))).toBe(0o700);
  });

  // Only root can give a folder to another user, and take the rights of a user for a while.
  it.skipIf(process.geteuid?.() !== 0)(
    'of another user refuses the start (this test needs root)',
    async () => {
      const data = join(folder.path, 'data');
      await mkdir(data, { mode: 0o777 });
      await chmod(data, 0o777);
      await chmod(folder.path, 0o755);
      await chown(data, 12_345, 12_345);
      const config = loadConfig(undefined, { AFFIDAVIT_DATA: data });
      process.seteuid?.(54_321);
      try {
        const closed = closeToOthers({ config, logger: createTestLogger().logger });
        await expect(closed).rejects.toMatchObject({
          code: 'START_REFUSED',
          message: expect.stringContaining('is open to other users (mode 0777)') as string,
        });
        expect(await readdir(data)).toEqual([]);
      } finally {
        process.seteuid?.(0);
      }
    },
  );
});
