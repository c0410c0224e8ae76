import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { bareEnvironment, makeTempDir } from '../support/server.ts';

const ROOT = resolve(import.meta.dirname, '../..');

it('runs from the files that the package lists, without the sources', { timeout: 120_000 }, async () => {
  const { path, remove } = await makeTempDir();
  const { files, bin } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    files: string[];
    bin: { affidavit: string };
  };
  for (const name of ['package.json', ...files]) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await cp(join(ROOT, name), join(path, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(path, 'node_modules'));
  const demo = execFileSync(process.execPath, [join(path, bin.affidavit), 'demo'], {
    env: bareEnvironment(),
    cwd: path,
  });
  expect(demo.toString()).toMatch(/evidence package .*evidence\.zip/);
  await remove();
});
