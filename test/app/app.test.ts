import { afterEach, describe, expect, it } from 'vitest';
import { composeForTest, NOW_MS, type Composed } from './composed.ts';

let composed: Composed | undefined;
afterEach(async () => {
  await composed?.close();
  composed = undefined;
});

const EVENTS = [1, 2, 3].map((n) => ({ type: 'composition.tested', session_id: `s-${String(n)}` }));

describe('the composition with overrides', () => {
  it('seals into the engines that it was given, by the clock that it was given', async () => {
    composed = await composeForTest();
    expect((await composed.post('/v1/events', EVENTS)).status).toBe(200);
    await expect.poll(() => composed?.records.rows.length, { timeout: 10_000 }).toBe(EVENTS.length);
    expect(composed.appended.map(({ received_at }) => received_at)).toEqual([new Date(NOW_MS).toISOString()]);
    expect([...composed.archive.objects.keys()].some((key) => key.startsWith('log/p0/bundle/'))).toBe(true);
    expect(composed.records.rows.map(({ received_at }) => received_at)).toEqual(
      EVENTS.map(() => new Date(NOW_MS).toISOString()),
    );
    // `close` fails if the composition closed an engine that it was given.
  });

  it('takes ids and limits, so that a test decides where a bundle ends', async () => {
    let nextId = 0;
    composed = await composeForTest(
      {},
      { newId: () => `id-${String((nextId += 1))}`, limits: { maxBatchEnvelopes: 1 } },
    );
    for (const event of EVENTS) expect((await composed.post('/v1/events', event)).status).toBe(200);
    await expect.poll(() => composed?.records.rows.length, { timeout: 10_000 }).toBe(EVENTS.length);
    expect(composed.appended.map(({ envelope_id }) => envelope_id.split('-')[0])).toEqual(['id', 'id', 'id']);
    const bundles = [...composed.archive.objects.keys()].filter((key) => key.startsWith('log/p0/bundle/'));
    expect(bundles.length).toBe(EVENTS.length);
  });
});
