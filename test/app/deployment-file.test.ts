import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  amendDeployment,
  commitToPseudonymKey,
  readDeployment,
  readDeploymentIdentity,
  readPseudonymKey,
  writeDeployment,
} from '../../app/deployment-file.ts';
import { loadConfig, type Config } from '../../config.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { makeTempDir } from '../support/server.ts';

const CREATED_AT = '2026-11-21T09:00:00.000Z';
const ORIGIN = 'audit.example.com/agents';
const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
const keyPath = () => join(folder.path, 'keys', 'pseudonym-key');
const filePath = () => join(folder.path, 'keys', 'deployment.json');

beforeEach(async () => {
  folder = await makeTempDir();
  config = loadConfig(undefined, { AFFIDAVIT_DATA: folder.path });
  await mkdir(join(folder.path, 'keys'));
  await writeFile(keyPath(), KEY);
});
afterEach(() => folder.remove());

const { logger, lines } = createTestLogger();
const readFileV = async () => JSON.parse(await readFile(filePath(), 'utf8')) as Record<string, unknown>;

const OLD_FILES = [
  ['1', { v: 1, origin: ORIGIN, created_at: CREATED_AT }],
  ['2', { v: 2, origins: [ORIGIN], created_at: CREATED_AT }],
] as const;

describe('the deployment file', () => {
  it('names the digest of the pseudonym key, over a domain that no other digest has', async () => {
    await writeDeployment(config, { origins: [ORIGIN], created_at: CREATED_AT });
    expect(await readFileV()).toEqual({
      v: 3,
      origins: [ORIGIN],
      created_at: CREATED_AT,
      pseudonym_key_sha256: createHash('sha256')
        .update(Buffer.concat([Buffer.from('affidavit pseudonym key v1\0'), KEY]))
        .digest('hex'),
    });
    expect(await readPseudonymKey(config)).toEqual(KEY);
  });

  it('refuses another pseudonym key, with which repeats would be sealed twice', async () => {
    await writeDeployment(config, { origins: [ORIGIN], created_at: CREATED_AT });
    await writeFile(keyPath(), OTHER_KEY);
    await expect(readPseudonymKey(config)).rejects.toMatchObject({
      code: 'START_REFUSED',
      message: expect.stringContaining('is not the pseudonym key that this deployment began with') as string,
    });
    await rm(keyPath());
    await expect(readPseudonymKey(config)).rejects.toMatchObject({ code: 'START_REFUSED' });
  });

  it.each(OLD_FILES)('of version %s is read as before, without the check', async (_, file) => {
    await writeFile(filePath(), JSON.stringify(file));
    expect(await readDeployment(config)).toEqual({
      logs: [{ log: 'p0', origin: ORIGIN }],
      created_at: CREATED_AT,
    });
    expect(await readPseudonymKey(config)).toEqual(KEY);
    await writeFile(keyPath(), OTHER_KEY);
    expect(await readPseudonymKey(config)).toEqual(OTHER_KEY);
  });

  it.each(OLD_FILES)('of version %s commits once to the key that is there', async (_, file) => {
    await writeFile(filePath(), JSON.stringify(file));
    const identity = await readDeploymentIdentity(config);
    await commitToPseudonymKey({ config, logger });
    expect(await readFileV()).toMatchObject({ v: 3, origins: [ORIGIN], created_at: CREATED_AT });
    const committed = await readFile(filePath());
    await writeFile(keyPath(), OTHER_KEY);
    await commitToPseudonymKey({ config, logger });
    expect(await readFile(filePath())).toEqual(committed);
    await expect(readPseudonymKey(config)).rejects.toMatchObject({ code: 'START_REFUSED' });
    expect(await readDeploymentIdentity(config)).toBe(identity);
  });

  it('that cannot be written stays as it is, and the log says so', async () => {
    await writeFile(filePath(), JSON.stringify(OLD_FILES[0][1]));
    // A folder under the temporary name refuses the write, for root too.
    await mkdir(`${filePath()}.tmp`);
    await commitToPseudonymKey({ config, logger });
    expect(await readFileV()).toEqual(OLD_FILES[0][1]);
    expect(lines.at(-1)?.msg).toContain('cannot be written');
    expect(await readPseudonymKey(config)).toEqual(KEY);
  });

  it('keeps its other members when one is amended', async () => {
    await writeDeployment(config, { origins: [ORIGIN], created_at: CREATED_AT });
    const before = await readFileV();
    await amendDeployment(config, { event_log: 'log-1' });
    expect(await readFileV()).toEqual({ ...before, event_log: 'log-1' });
    expect((await amendDeployment(config, { event_log: 'log-2' })).event_log).toBe('log-2');
    expect((await readDeployment(config))?.event_log).toBe('log-2');
  });

  it('cannot be amended where there is none', async () => {
    await expect(amendDeployment(config, {})).rejects.toMatchObject({ code: 'START_REFUSED' });
  });

  it.each(['', '{', '{"v":4}', '{"v":3,"origins":["x"],"created_at":"2026-11-21T09:00:00.000Z"}'])(
    'is refused where it reads %j',
    async (text) => {
      await writeFile(filePath(), text);
      for (const read of [readDeployment, readPseudonymKey, readDeploymentIdentity]) {
        await expect(read(config)).rejects.toMatchObject({ code: 'START_REFUSED' });
      }
    },
  );
});
