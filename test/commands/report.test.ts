import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialise } from '../../app/deployment.ts';
import { createContext } from '../../app/context.ts';
import { report } from '../../commands/report.ts';
import { loadConfig, type Config } from '../../config.ts';
import type { PackageResults } from '../../schemas/evidence-package.ts';
import { openContainer } from '../../store/verify/container.ts';
import { createFindings } from '../../store/verify/report.ts';
import { sealInFolder } from '../support/sealed-deployment.ts';
import { makeTempDir } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
const configOf = (data: string) =>
  loadConfig(undefined, { AFFIDAVIT_DATA: join(folder.path, data), AFFIDAVIT_LOG_LEVEL: 'silent' });

beforeEach(async () => {
  folder = await makeTempDir();
  config = configOf('data');
  await sealInFolder(config, ['one']);
});
afterEach(() => folder.remove());

/** S6 of a package that the command makes from the data folder. */
async function integrity() {
  const out = join(folder.path, 'evidence.zip');
  const period = { from: '2020-01-01', to: new Date(Date.now() + 1_000).toISOString() };
  await report(
    config,
    { framework: 'soc2', ...period, out, json: true },
    { isTerminal: false, write: () => undefined },
  );
  const container = (await openContainer(out, createFindings()))!;
  const chunks: Uint8Array[] = [];
  for await (const chunk of container.read('results.json')) chunks.push(chunk);
  container.close();
  const { results } = JSON.parse(Buffer.concat(chunks).toString()) as PackageResults;
  return results[0]!.completeness.statistics.find(({ id }) => id === 'S6')!;
}

describe('a report from the data folder', () => {
  const eventLog = () => join(folder.path, 'data/event-log');

  it('says how many envelopes are acknowledged and not sealed', async () => {
    expect((await integrity()).state).toBe('ok');
  });

  it('does not know that where the event log is missing or another one, and makes none', async () => {
    await rm(eventLog(), { recursive: true });
    expect(await integrity()).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('not known') as string,
    });
    expect(existsSync(eventLog())).toBe(false);
    await initialise(createContext(configOf('other')));
    await rename(join(folder.path, 'other/event-log'), eventLog());
    expect(await integrity()).toMatchObject({ state: 'failed' });
  });
});
