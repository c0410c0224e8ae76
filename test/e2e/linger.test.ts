/** How the built server closes batches with the default of `ingest.seal_after_ms`, which other tests set to 0. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendTrickle, type TrickleResult } from '../support/trickle.ts';
import { makeTempDir, startServer, type TestServer } from '../support/server.ts';

const LINGER_MS = 2000;
const SECONDS = 8;
const PER_SECOND = 5;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
let bundlesBefore: number;
let result: TrickleResult;
beforeAll(async () => {
  folder = await makeTempDir();
  server = await startServer(folder.path, { AFFIDAVIT_INGEST_SEAL_AFTER_MS: undefined });
  await server.sealed();
  bundlesBefore = await countBundles();
  result = await sendTrickle(server, { seconds: SECONDS, perSecond: PER_SECOND });
}, 60_000);
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

async function countBundles(): Promise<number> {
  const names = await readdir(join(folder.path, 'archive'), { recursive: true });
  return names.filter((name) => /\/bundle\/.*\d{20}$/.test(name)).length;
}

describe('a trickle of hooks', () => {
  it('is sealed in about one bundle for each linger, not in one for each hook', async () => {
    await server.sealed();
    const bundles = (await countBundles()) - bundlesBefore;
    expect(bundles).toBeGreaterThan(0);
    expect(bundles).toBeLessThanOrEqual(SECONDS / (LINGER_MS / 1000) + 2);
  });

  it('can be queried within the linger and a second', () => {
    expect(result.delaysMs).toHaveLength(SECONDS * PER_SECOND);
    const sorted = [...result.delaysMs].sort((a, b) => a - b);
    expect(sorted[Math.ceil(0.95 * sorted.length) - 1]).toBeLessThan(LINGER_MS + 1000);
  });

  it('is acknowledged without waiting for the bundle', () => {
    const sorted = [...result.answersMs].sort((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(LINGER_MS / 4);
  });

  it('stays in the event log where the server is stopped first, and is sealed by the next start', async () => {
    const before = await server.sealed();
    await sendTrickle(server, { seconds: 0.4, perSecond: PER_SECOND, watch: false });
    expect(await server.stop()).toBe(0);
    server = await startServer(folder.path, { AFFIDAVIT_INGEST_SEAL_AFTER_MS: undefined });
    await delay(LINGER_MS);
    expect(await server.sealed()).toBe(before + 2);
  });
});
