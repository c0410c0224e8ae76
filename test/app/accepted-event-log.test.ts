import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceptEventLog, openAcceptedEventLog } from '../../app/accepted-event-log.ts';
import { createContext } from '../../app/context.ts';
import { initialise } from '../../app/deployment.ts';
import { loadConfig, type Config } from '../../config.ts';
import type { EventLog } from '../../ingest/event-log.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;

beforeEach(async () => {
  folder = await makeTempDir();
  config = loadConfig(undefined, { AFFIDAVIT_DATA: `${folder.path}/data`, AFFIDAVIT_LOG_LEVEL: 'silent' });
  await initialise(createContext(config, { archive: createMemoryArchive() }));
});
afterEach(() => folder.remove());

/** Where the event log has this id now. */
const at = (id: string | undefined) => createContext(config, { eventLog: { id } as EventLog });

describe('the word of an operator on the event log', () => {
  it('changes nothing without an id, and accepts the one that is there', async () => {
    expect(await acceptEventLog(at('kafka:b'), undefined)).toMatchObject({
      found: 'kafka:b',
      next: undefined,
    });
    await acceptEventLog(at('kafka:b'), 'kafka:b');
    expect(await acceptEventLog(at('kafka:c'), undefined)).toMatchObject({ accepted: 'kafka:b' });
  });

  it('is refused for a log that is not there', async () => {
    const refused = { code: 'CONFIG_INVALID' };
    await expect(acceptEventLog(at('kafka:b'), 'kafka:a')).rejects.toMatchObject(refused);
    await expect(acceptEventLog(at('kafka:b'), 'kafka:b#2')).rejects.toMatchObject(refused);
    await expect(acceptEventLog(at(undefined), 'kafka:a')).rejects.toMatchObject(refused);
  });

  it('names the next topic of the same name where brokers give no ids, and no later one', async () => {
    const found = 'kafka-name:envelopes';
    await acceptEventLog(at(found), found);
    expect(await acceptEventLog(at(found), undefined)).toEqual({
      found,
      accepted: found,
      next: `${found}#2`,
    });
    await expect(acceptEventLog(at(found), `${found}#3`)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await acceptEventLog(at(found), `${found}#2`)).toMatchObject({ found: `${found}#2` });
    expect(await acceptEventLog(at(`${found}#2`), undefined)).toEqual({
      found: `${found}#2`,
      accepted: `${found}#2`,
      next: `${found}#3`,
    });
  });
});

describe('a process that only asks the event log what waits in it', () => {
  const dir = () => `${folder.path}/data/event-log`;
  const ask = () => openAcceptedEventLog(createContext(config));

  it('opens the accepted one', async () => {
    const eventLog = await ask();
    expect(await eventLog.lag()).toMatchObject({ envelopes: 0 });
    await eventLog.close();
  });

  it('makes none where the folder, its file or the content of the file is missing', async () => {
    const refused = { code: 'LOG_UNAVAILABLE' };
    await rm(dir(), { recursive: true });
    await expect(ask()).rejects.toMatchObject(refused);
    expect(existsSync(dir())).toBe(false);
    await mkdir(dir());
    await expect(ask()).rejects.toMatchObject(refused);
    expect(existsSync(`${dir()}/data.mdb`)).toBe(false);
    await writeFile(`${dir()}/data.mdb`, '');
    await expect(ask()).rejects.toMatchObject(refused);
  });

  it('refuses another one', async () => {
    const other = loadConfig(undefined, {
      AFFIDAVIT_DATA: `${folder.path}/other`,
      AFFIDAVIT_LOG_LEVEL: 'silent',
    });
    await initialise(createContext(other, { archive: createMemoryArchive() }));
    await rm(dir(), { recursive: true });
    await rename(`${folder.path}/other/event-log`, dir());
    await expect(ask()).rejects.toMatchObject({ code: 'EVENT_LOG_REPLACED' });
  });
});
