import { existsSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
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

  it('is marked as synthetic when its logs are made, and never later', async () => {
    const genesis = async () =>
      JSON.parse(Buffer.from((await archive.get('log/p0/genesis'))!).toString()) as { synthetic: boolean };
    await initialise(context, { isSynthetic: true });
    expect((await genesis()).synthetic).toBe(true);
    await rm(at(), { recursive: true });
    archive.objects.clear();
    await initialise(context);
    expect((await genesis()).synthetic).toBe(false);
    await expect(initialise(context, { isSynthetic: true })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it.each([true, false])(
    'is not begun as one kind and completed as the other (synthetic first: %s)',
    async (isSynthetic) => {
      await initialise(context, { isSynthetic });
      await rm(at('keys', 'deployment.json'));
      await expect(initialise(context, { isSynthetic: !isSynthetic })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        detail: expect.stringContaining('an earlier init began log heads') as string,
      });
      expect(existsSync(at('keys', 'deployment.json'))).toBe(false);
      await expect(initialise(context, { isSynthetic })).resolves.toBeDefined();
    },
  );

  it('goes on with the name of a head log that an earlier init began before it died', async () => {
    const originOf = async (log: string) =>
      (JSON.parse(Buffer.from((await archive.get(`log/${log}/genesis`))!).toString()) as { origin: string })
        .origin;
    await initialise(context);
    const [heads, log] = [await originOf('heads'), await originOf('p0')];
    await rm(at('keys', 'deployment.json'));
    archive.objects.delete('log/p0/genesis');
    await initialise(context);
    expect([await originOf('heads'), await originOf('p0')]).toEqual([heads, log]);
  });

  it('makes no new keys beside a head log that an earlier init began', async () => {
    await initialise(context);
    await rm(at(), { recursive: true });
    archive.objects.delete('log/p0/genesis');
    await expect(initialise(context)).rejects.toMatchObject({ code: 'START_REFUSED' });
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

  describe('is not called complete by another `init`', () => {
    const KEY_FILES = ['signing-key.pem', 'pseudonym-key', 'event-log-key'];
    const refused = (detail: string) => ({
      code: 'START_REFUSED',
      detail: expect.stringMatching(detail) as string,
    });
    const cut = async (name: string) =>
      writeFile(at('keys', name), (await readFile(at('keys', name))).subarray(0, -7));
    /** Brings in files of the keys folder of another deployment. */
    async function bringOther(...names: readonly string[]): Promise<void> {
      const data = join(folder.path, 'other');
      const config = loadConfig(undefined, { AFFIDAVIT_DATA: data, AFFIDAVIT_LOG_LEVEL: 'silent' });
      await initialise(createContext(config, { archive: createMemoryArchive() }));
      for (const name of names) await copyFile(join(data, 'keys', name), at('keys', name));
    }

    beforeEach(() => initialise(context));

    it.each(KEY_FILES)('where %s is missing', async (name) => {
      await rm(at('keys', name));
      await expect(initialise(context)).rejects.toMatchObject(refused(`${name} is missing; restore`));
      expect(existsSync(at('keys', name))).toBe(false);
    });

    it.each([
      ['signing-key.pem', 'PKCS #8 PEM; restore keys/ from the backup'],
      ['pseudonym-key', 'is not the pseudonym key'],
      ['event-log-key', 'is not the event log key'],
      ['deployment.json', 'is damaged: .* restore keys/ from the backup'],
    ])('where %s is cut', async (name, detail) => {
      await cut(name);
      await expect(initialise(context)).rejects.toMatchObject(refused(detail));
    });

    it.each([
      ['signing-key.pem', 'belongs to key .*, the configured signer is another'],
      ['pseudonym-key', 'is not the pseudonym key'],
      ['event-log-key', 'is not the event log key'],
      ['deployment.json', 'is not the pseudonym key'],
    ])('where %s is of another deployment', async (name, detail) => {
      await bringOther(name);
      await expect(initialise(context)).rejects.toMatchObject(refused(detail));
    });

    it('where all keys are of another deployment than the archive', async () => {
      await bringOther(...KEY_FILES, 'deployment.json');
      await expect(initialise(context)).rejects.toMatchObject(refused('the configured signer is another'));
    });

    it('where the archive does not hold its log', async () => {
      const elsewhere = createContext(context.config, { archive: createMemoryArchive() });
      await expect(initialise(elsewhere)).rejects.toMatchObject(refused('p0 is not in the archive'));
    });
  });
});
