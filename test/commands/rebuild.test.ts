import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rebuild } from '../../commands/rebuild.ts';
import { loadConfig, type Config } from '../../config.ts';
import { sealInFolder } from '../support/sealed-deployment.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
const at = (...names: string[]) => join(folder.path, ...names);

/** The archive and the keys are those of a backup; the record store has two leaves more. */
beforeEach(async () => {
  folder = await makeTempDir();
  config = loadConfig(undefined, { AFFIDAVIT_DATA: at('data'), AFFIDAVIT_LOG_LEVEL: 'silent' });
  await sealInFolder(config, ['one']);
  const parts = ['archive', 'keys'];
  for (const part of parts) await cp(at('data', part), at('backup', part), { recursive: true });
  await sealInFolder(config, ['two', 'three']);
  for (const part of parts) {
    await rename(at('data', part), at(`newest-${part}`));
    await rename(at('backup', part), at('data', part));
  }
});
afterEach(() => folder.remove());

async function rowsOf(discardRows: boolean): Promise<number> {
  const lines: string[] = [];
  const output = { isTerminal: false, write: (text: string) => void lines.push(text) };
  await rebuild(config, output, { json: true, discardRows });
  return (JSON.parse(lines.join('')) as { row_count: number }).row_count;
}

describe('the rebuild of a record store', () => {
  it('is refused where the store holds rows beyond the end of the archive, and nothing is removed', async () => {
    const refusal = {
      code: 'START_REFUSED',
      detail: expect.stringContaining('hold 3 leaves of p0, the archive only 1') as string,
    };
    await expect(rowsOf(false)).rejects.toMatchObject(refusal);
    await expect(rowsOf(false)).rejects.toMatchObject(refusal);
    await expect(sealInFolder(config, [])).rejects.toMatchObject(refusal);
  });

  it('removes them once the operator says so', async () => {
    expect(await rowsOf(true)).toBe(1);
    expect(await rowsOf(false)).toBe(1);
  });

  it('needs no word where the newest copy of the archive is back, or where there are no rows', async () => {
    for (const part of ['archive', 'keys']) {
      await rm(at('data', part), { recursive: true });
      await rename(at(`newest-${part}`), at('data', part));
    }
    expect(await rowsOf(false)).toBe(3);
    await rm(at('data', 'records'), { recursive: true });
    expect(await rowsOf(false)).toBe(3);
  });
});
