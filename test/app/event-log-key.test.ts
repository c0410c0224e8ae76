import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../../app/context.ts';
import { readDeployment, writeDeployment } from '../../app/deployment-file.ts';
import { initialise } from '../../app/deployment.ts';
import { commitToEventLogKey, makeEventLogKey, readEventLogKey } from '../../app/event-log-key.ts';
import { loadConfig, type Config } from '../../config.ts';
import { toFrameKey } from '../../ingest/frame-key.ts';
import { createTestLogger } from '../support/log-lines.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
const keyPath = () => join(folder.path, 'keys', 'event-log-key');
const { logger } = createTestLogger();
const context = () => createContext(config, { logger });

beforeEach(async () => {
  folder = await makeTempDir();
  config = loadConfig(undefined, { AFFIDAVIT_DATA: folder.path });
});
afterEach(() => folder.remove());

/** A deployment as an older version made it. */
async function makeOlder(): Promise<void> {
  const { deployment } = await initialise(context());
  await rm(keyPath());
  const origins = deployment.logs.map(({ origin }) => origin);
  await writeDeployment(config, { origins, created_at: deployment.created_at });
}

describe('the event log key', () => {
  it('is made with a new deployment, for its owner alone, and named in the deployment file', async () => {
    await initialise(context());
    expect((await stat(keyPath())).mode & 0o777).toBe(0o600);
    const read = await readEventLogKey(config);
    expect(read).toMatchObject({ hadUnnumbered: false, key: toFrameKey(await readFile(keyPath())) });
    expect((await readDeployment(config))!.event_log_key_sha256).toBe(read!.key.sha256);
    expect((await initialise(context())).madeEventLogKey).toBe(false);
  });

  it('is given to a deployment of an older version, which may have entries without a number', async () => {
    await makeOlder();
    expect(await readEventLogKey(config)).toBeUndefined();
    expect((await initialise(context())).madeEventLogKey).toBe(true);
    expect(await readEventLogKey(config)).toMatchObject({ hadUnnumbered: true });
    expect(await commitToEventLogKey(context())).toBe(false);
  });

  it('is one key where several processes make it at once', async () => {
    await makeOlder();
    await Promise.all([1, 2, 3, 4].map(() => commitToEventLogKey(context())));
    const made = await Promise.all([1, 2].map(() => makeEventLogKey(context())));
    expect(new Set([...made, (await readEventLogKey(config))!.key.sha256]).size).toBe(1);
    expect((await readdir(join(folder.path, 'keys'))).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  it('refuses the start where it is missing or another', async () => {
    await initialise(context());
    await writeFile(keyPath(), Buffer.alloc(32, 1));
    const refusal = { code: 'START_REFUSED', detail: expect.stringContaining('event-log-key') as string };
    await expect(readEventLogKey(config)).rejects.toMatchObject(refusal);
    await rm(keyPath());
    await expect(readEventLogKey(config)).rejects.toMatchObject(refusal);
  });
});
