import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContext, type AppContext } from '../../app/context.ts';
import { initialise } from '../../app/deployment.ts';
import { loadConfig } from '../../config.ts';
import { readTokens } from '../../store/keys/tokens.ts';
import { testLock } from '../support/ledger.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let context: AppContext;
let archive: ReturnType<typeof createMemoryArchive>;
const at = (...names: string[]) => join(folder.path, 'data', ...names);

beforeEach(async () => {
  folder = await makeTempDir();
  archive = createMemoryArchive();
  const config = loadConfig(undefined, { AFFIDAVIT_DATA: at(), AFFIDAVIT_LOG_LEVEL: 'silent' });
  context = createContext(config, { archive });
});
afterEach(() => folder.remove());

describe('a deployment', () => {
  it('is completed where its first start was cut short before anything was sealed', async () => {
    const { deployment } = await initialise(context);
    await rm(at('keys', 'deployment.json'));
    expect((await initialise(context)).deployment.logs).toEqual(deployment.logs);
  });

  it('is not begun again beside sealed records, and nothing is made then', async () => {
    await initialise(context);
    await rm(at('keys', 'deployment.json'));
    await rm(at('keys', 'event-log-key'));
    await archive.put('log/p0/bundle/00000000000000000000', Buffer.from('sealed'), testLock());
    await expect(initialise(context)).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: expect.stringContaining('deployment.json is missing') as string,
    });
    expect(['deployment.json', 'event-log-key'].filter((name) => existsSync(at('keys', name)))).toEqual([]);
  });

  it('gets new tokens where their file is lost, and keeps those that it has', async () => {
    await initialise(context);
    const before = await readFile(at('keys', 'tokens.json'));
    expect((await initialise(context)).created).toBeUndefined();
    expect(await readFile(at('keys', 'tokens.json'))).toEqual(before);
    await rm(at('keys', 'tokens.json'));
    const { created } = await initialise(context);
    expect([created?.admin, created?.collector].every((token) => typeof token === 'string')).toBe(true);
    expect((await readTokens(at('keys', 'tokens.json')))?.map(({ id }) => id)).toEqual([
      'admin',
      'collector',
    ]);
  });
});
