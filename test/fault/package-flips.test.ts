import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verifyPackage } from '../../store/verify/verify-package.ts';
import { buildTestPackage } from '../support/package-builder.ts';

it('names a flip of any byte of the ZIP of a package', { timeout: 300_000 }, async () => {
  const built = await buildTestPackage();
  const bytes = await readFile(built.path);
  const path = join(built.dir, 'flipped.zip');
  for (let place = 0; place < bytes.length; place += 1) {
    await writeFile(path, bytes.with(place, bytes[place]! ^ (1 << (place % 8))));
    const report = await verifyPackage({ path });
    expect(report.ok, `byte ${String(place)}`).toBe(false);
    expect(report.failures.map(({ code }) => code)).toContain('container_damaged');
  }
  await built.dispose();
});
