import { afterEach, describe, expect, it } from 'vitest';
import { HEAD_LOG, type HeadEntry } from '../../schemas/head-entry.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { bundleKey, genesisKey } from '../../store/chain/layout.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { ADMIN_TOKEN } from '../support/server.ts';
import { composeForTest, NOW_MS, type Composed } from './composed.ts';

const NOW = new Date(NOW_MS).toISOString();
let composed: Composed | undefined;
afterEach(async () => {
  await composed?.close();
  composed = undefined;
});

const event = (n: number) => ({ type: 'head-log.tested', event_id: `e-${String(n)}` });
const get = (route: string) =>
  fetch(`http://127.0.0.1:${String(composed!.running.apiPort)}${route}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
const readState = async () => (await (await get('/readyz')).json()) as Record<string, unknown>;

/** The clock stands until the test lets time pass; a process waits for no round. */
function open(archive = createMemoryArchive()) {
  let nowMs = NOW_MS;
  const pass = (ms: number) => void (nowMs += ms);
  const post = (n: number) => composed!.post('/v1/events', event(n));
  const sleep = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
  const env = { AFFIDAVIT_STORE_HEAD_LOG_EVERY_MS: '1000' };
  const entry = (index: number) => {
    const bytes = archive.objects.get(bundleKey(HEAD_LOG, index));
    return bytes && (JSON.parse(decodeBundle(bytes).leafTexts[0]!) as HeadEntry);
  };
  const start = async () => {
    const records = { ...createMemoryRecordStore(), read: () => Promise.resolve([]) };
    composed = await composeForTest(env, { archive, records, sleep, clock: () => nowMs });
  };
  return { archive, entry, pass, post, start };
}

describe('a process that seals', () => {
  it('names the heads of its logs in the head log, whose key each genesis names', async () => {
    const { archive, entry, pass, post, start } = open();
    await start();
    const genesis = (log: string) =>
      JSON.parse(Buffer.from(archive.objects.get(genesisKey(log))!).toString()) as Record<string, string>;
    expect(genesis('p0')['head_log']).toBe(genesis(HEAD_LOG)['vkey']);
    expect(genesis(HEAD_LOG)['origin']).toMatch(/\/heads$/);
    await expect.poll(() => entry(0)?.heads).toMatchObject([{ log: 'p0', tree_size: 0 }]);
    expect((await post(0)).status).toBe(200);
    await expect.poll(readState).toMatchObject({ published_tree_size: 1 });
    pass(1_000);
    await expect.poll(() => entry(1)?.heads).toMatchObject([{ log: 'p0', tree_size: 1 }]);
    await expect.poll(readState).toMatchObject({ head_log: { taken_at: entry(1)!.taken_at } });
    pass(7_500_000);
    await expect.poll(() => entry(2)?.taken_at).toBeDefined();
  });

  it('goes on to seal where the head log cannot be written, and says so', async () => {
    const { archive, post, start } = open();
    await start();
    await expect.poll(readState).toMatchObject({ head_log: { taken_at: NOW } });
    archive.objects.delete(genesisKey(HEAD_LOG));
    await expect.poll(readState).toMatchObject({ ready: true, head_log: { reason: 'START_REFUSED' } });
    expect((await post(0)).status).toBe(200);
    await expect.poll(readState).toMatchObject({ ready: true, published_tree_size: 1 });
    expect(await (await get('/metrics')).text()).toContain('\naffidavit_store_head_log_age_seconds 0\n');
    expect(composed!.lines.filter(({ msg }) => msg.startsWith('the head log got no entry'))).toHaveLength(1);
  });
});
