import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../../app/context.ts';
import { initConfiguredKeyStore, openConfiguredKeyStore, withKeyStore } from '../../app/key-store.ts';
import { rotateMasterKey } from '../../commands/rotate-master-key.ts';
import { loadConfig } from '../../config.ts';
import { addressOf, fingerprints } from '../support/key-store.ts';
import { makeTempDir } from '../support/server.ts';

describe('the key store of a configuration', () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let lines: string;

  beforeEach(async () => {
    folder = await makeTempDir();
    lines = '';
  });
  afterEach(() => folder.remove());

  const output = { isTerminal: true, write: (text: string) => void (lines += text) };
  const configOf = (more: Record<string, string> = {}) =>
    loadConfig(undefined, {
      AFFIDAVIT_DATA: join(folder.path, 'data'),
      AFFIDAVIT_LOG_LEVEL: 'silent',
      ...more,
    });
  const contextOf = (more?: Record<string, string>) => createContext(configOf(more));

  it('lies by default in the data folder, with one master key in the folder of keys', async () => {
    const id = await initConfiguredKeyStore(contextOf());
    expect(await readdir(join(folder.path, 'data', 'keys', 'master-keys'))).toEqual([id]);
    expect(await readdir(join(folder.path, 'data', 'key-store'))).toContain('master-key');
    const store = await openConfiguredKeyStore(contextOf());
    expect(await store.keysFor([addressOf(null)])).toHaveLength(1);
    await store.close();
  });

  it('lies where the configuration says', async () => {
    const more = {
      AFFIDAVIT_KEY_STORE_DIR: join(folder.path, 'elsewhere'),
      AFFIDAVIT_KEY_STORE_MASTER_KEYS: join(folder.path, 'master'),
    };
    const id = await initConfiguredKeyStore(contextOf(more));
    expect(await readdir(join(folder.path, 'master'))).toEqual([id]);
    expect(await readdir(join(folder.path, 'elsewhere'))).toContain('master-key');
  });

  it('is not begun by an opening, nor by a rotation', async () => {
    const refused = { code: 'START_REFUSED' };
    await expect(openConfiguredKeyStore(contextOf())).rejects.toMatchObject(refused);
    await expect(rotateMasterKey(configOf(), output, { json: false })).rejects.toMatchObject(refused);
  });

  it('counts a damaged key as absent for a verification, beside the others', async () => {
    await initConfiguredKeyStore(contextOf());
    const store = await openConfiguredKeyStore(contextOf());
    const addresses = [addressOf(null), addressOf(null, 'person')];
    await store.keysFor(addresses);
    await store.close();
    const dir = join(folder.path, 'data', 'key-store', 'class-keys');
    const [damaged] = (await readdir(dir)).filter((name) => name.startsWith('content'));
    await writeFile(join(dir, damaged!), '{}\n', { mode: 0o600 });
    const found = await withKeyStore(contextOf(), (find) => find(addresses));
    expect(found[0]).toBe('absent');
    expect(found[1]).toMatchObject({ address: addresses[1] });
  });

  it('is only read by a verification: no file of it changes, and remains of others stay', async () => {
    await initConfiguredKeyStore(contextOf());
    const store = await openConfiguredKeyStore(contextOf());
    await store.keysFor([addressOf(null)]);
    await store.close();
    const dir = join(folder.path, 'data', 'key-store');
    const staged = join(dir, '.staging', 'content~left-by-a-process-that-died');
    await writeFile(staged, '', { mode: 0o600 });
    await utimes(staged, 0, 0);
    const before = await stateOf(dir);
    await withKeyStore(contextOf(), (find) => find([addressOf(null), addressOf(null, 'person')]));
    expect(await stateOf(dir)).toEqual(before);
    await (await openConfiguredKeyStore(contextOf())).close();
    expect(await stateOf(dir)).not.toEqual(before);
  });

  it('gets another master key by the command, which shows its progress and says which key is retired', async () => {
    const id = await initConfiguredKeyStore(contextOf());
    const store = await openConfiguredKeyStore(contextOf());
    const keys = fingerprints(await store.keysFor([addressOf(null)]));
    await rotateMasterKey(configOf(), output, { json: false });
    expect(lines).toContain('1 objects looked at, 1 rewrapped');
    expect(lines).toContain(`The master key ${id} opens nothing of this key store any more.`);
    const later = await openConfiguredKeyStore(contextOf());
    expect(fingerprints(await later.find([addressOf(null)]))).toEqual(keys);
    lines = '';
    await rotateMasterKey(configOf(), output, { json: true });
    expect(JSON.parse(lines)).toMatchObject({ rewrapped: 1, is_resumed: false });
    await Promise.all([store.close(), later.close()]);
  });
});

/** Each file and folder below it, with the time of its last change. */
async function stateOf(dir: string): Promise<Readonly<Record<string, number>>> {
  const names = await readdir(dir, { recursive: true });
  const entries = names.map(async (name) => [name, (await stat(join(dir, name))).mtimeMs] as const);
  return Object.fromEntries(await Promise.all(entries));
}
