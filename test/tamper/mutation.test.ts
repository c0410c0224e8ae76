import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAILURES } from '../../schemas/verification-failures.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { filesBelow } from '../support/archive-folder.ts';
import { sealArchive, type SealedArchive } from './forge.ts';

/** Thousands of verifications, on a machine that may be busy. */
const EXHAUSTIVE_MS = 300_000;

let sealed: SealedArchive;
beforeAll(async () => {
  sealed = await sealArchive({ sizes: [1], firstRecord: 1 });
});
afterAll(() => sealed.dispose());

it(
  'one flip in each byte of each file is named: by file, and by a code of the list',
  async () => {
    const { dir } = sealed;
    const files = await filesBelow(dir);
    const kinds = new Set(
      files.map((file) => `${file.split('/')[2]!}${file.endsWith('.lock') ? ' lock' : ''}`),
    );
    expect([...kinds].toSorted().join()).toMatch(
      /^bundle,bundle lock,checkpoint,checkpoint lock,genesis,genesis\..* lock,payload,payload lock$/,
    );
    let flips = 0;
    let named = 0;
    for (const file of files) {
      const path = join(dir, file);
      const original = await readFile(path);
      await chmod(path, 0o644);
      for (let place = 0; place < original.length; place += 1) {
        await writeFile(path, original.with(place, original[place]! ^ (1 << (place % 8))));
        const { ok, failures } = await verifyArchive({ dir });
        flips += 1;
        const isNamed = failures.some(({ code, detail }) => code in FAILURES && detail.includes(file));
        expect([ok, isNamed], `${file} byte ${String(place)}`).toEqual([false, true]);
        named += 1;
      }
      await writeFile(path, original);
    }
    expect(await verifyArchive({ dir })).toMatchObject({ ok: true, failures: [] });
    expect(named).toBe(flips);
    process.stdout.write(
      `${String(named)} of ${String(flips)} flips named, in ${String(files.length)} files\n`,
    );
  },
  EXHAUSTIVE_MS,
);
