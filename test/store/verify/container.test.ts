import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyPackage } from '../../../store/verify/verify-package.ts';
import { createTestSigner } from '../../support/ledger.ts';
import { buildTestPackage, type TestPackage } from '../../support/package-builder.ts';
import { storedZip } from '../../support/stored-zip.ts';

describe('a ZIP in which a file has a second name, which some readers take and others ignore,', () => {
  let built: TestPackage;
  beforeAll(async () => {
    built = await buildTestPackage({ signer: createTestSigner() });
  });
  afterAll(() => built.dispose());

  const failuresIn = async (where: Parameters<typeof storedZip>[1]) => {
    const path = join(built.dir, 'packed.zip');
    await writeFile(path, storedZip(built.files, where));
    return (await verifyPackage({ path })).failures;
  };

  it('is told from a plain one', async () => {
    expect(await failuresIn({})).toEqual([]);
  });

  it.each([
    ['both headers', { local: true, central: true }],
    ['the header before the data', { local: true }],
    ['the directory', { central: true }],
  ])('is refused where the name is in %s', async (_, where) => {
    expect(await failuresIn(where)).toMatchObject([{ code: 'container_damaged' }]);
  });
});
