import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../../app/context.ts';
import { createBacklogReader } from '../../app/backlog.ts';
import { readDeployment } from '../../app/deployment-file.ts';
import { CloseStack, openEngines, openLog, openPackages, openSealingEngines } from '../../app/logs.ts';
import { rotateLogKey } from '../../app/rotate-log-key.ts';
import { loadConfig, type Config } from '../../config.ts';
import { openArchivedLog, readLogKeys } from '../../store/ledger/archived-log.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { sealInFolder } from '../support/sealed-deployment.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
const at = (...names: string[]) => join(folder.path, ...names);
const configOf = (data: string) =>
  loadConfig(undefined, { AFFIDAVIT_DATA: at(data), AFFIDAVIT_LOG_LEVEL: 'silent' });

beforeEach(async () => {
  folder = await makeTempDir();
  config = configOf('data');
});
afterEach(() => folder.remove());

/** Opens the log as often as asked, in one process; what it warned of. */
async function warningsOf(openings: number) {
  const { logger, lines } = createTestLogger();
  const context = createContext(config, { logger });
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack);
    const { logs } = (await readDeployment(config))!;
    for (let opening = 0; opening < openings; opening += 1) {
      await (await openLog(context, engines, logs[0]!)).close();
    }
  } finally {
    await stack.close();
  }
  return lines.filter(({ level }) => level === 40);
}

describe('a log whose head guard', () => {
  const guard = () => at('data/keys/head-guard.json');
  const warning = [
    {
      log: 'p0',
      tree_size: 2,
      head_guard: expect.stringContaining('head-guard.json') as string,
      msg: expect.stringMatching(/does not know this log.*restore keys\/ from the newest backup/) as string,
    },
  ];

  it('is missing although a checkpoint is published is opened with a warning, once', async () => {
    await sealInFolder(config, ['one', 'two']);
    await rm(guard());
    expect(await warningsOf(2)).toMatchObject(warning);
    expect(await warningsOf(1)).toEqual([]);
  });

  it('is of another deployment is opened with a warning', async () => {
    await sealInFolder(config, ['one', 'two']);
    await sealInFolder(configOf('other'), ['one']);
    await cp(at('other/keys/head-guard.json'), guard());
    expect(await warningsOf(1)).toMatchObject(warning);
    await writeFile(guard(), '{}');
    expect(await warningsOf(1)).toMatchObject(warning);
  });

  it('is missing because nothing was sealed, or is there, is opened without one', async () => {
    await sealInFolder(config, []);
    expect(await warningsOf(1)).toEqual([]);
    await sealInFolder(config, ['one']);
    expect(await warningsOf(1)).toEqual([]);
  });
});

describe('packages of a log', () => {
  const open = async () => {
    const context = createContext(config);
    const stack = new CloseStack();
    try {
      const engines = await openEngines(context, stack);
      const { archive, deployment } = engines;
      const { log, origin } = deployment.logs[0]!;
      const keys = await readLogKeys(archive, log, origin);
      const published = openArchivedLog({ log, archive, ...keys, clock: Date.now });
      const readBacklog = createBacklogReader(context, undefined, stack);
      await (await openPackages(context, engines, { published: [published], readBacklog })).close();
    } finally {
      await stack.close();
    }
  };

  it('are signed without the key of the log and without any data key', async () => {
    await sealInFolder(config, ['one']);
    for (const gone of ['keys/signing-key.pem', 'keys/master-keys', 'key-store'])
      await rm(at('data', gone), { recursive: true });
    await expect(open()).resolves.toBeUndefined();
  });

  it('are not signed by another key than the genesis names', async () => {
    await sealInFolder(config, ['one']);
    await sealInFolder(configOf('other'), ['one']);
    await cp(at('other/keys/package-key.pem'), at('data/keys/package-key.pem'));
    await expect(open()).rejects.toMatchObject({ code: 'START_REFUSED' });
  });

  it('are signed by the key that the newest change names, and not by that of the genesis', async () => {
    await sealInFolder(config, ['one']);
    await cp(at('data/keys/package-key.pem'), at('retired.pem'));
    await rotateLogKey(createContext(config));
    await expect(open()).resolves.toBeUndefined();
    await cp(at('retired.pem'), at('data/keys/package-key.pem'));
    await expect(open()).rejects.toMatchObject({ code: 'START_REFUSED' });
  });
});
