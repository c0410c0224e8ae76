import { afterEach, describe, expect, it } from 'vitest';
import { PipelineError } from '../../schemas/errors.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { ADMIN_TOKEN } from '../support/server.ts';
import { composeForTest, NOW_MS, type Composed } from './composed.ts';

interface State {
  readonly status: number;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly partitions: readonly { readonly log: string; readonly state: string; readonly detail?: string }[];
}

let composed: Composed | undefined;
afterEach(async () => {
  await composed?.close();
  composed = undefined;
});

/** A record store that answers questions until it is told to fail. */
function recordsThatAnswer() {
  const store = createMemoryRecordStore();
  const failing = { code: undefined as 'STORE_UNAVAILABLE' | undefined };
  const read = () =>
    failing.code === undefined
      ? Promise.resolve([])
      : Promise.reject(new PipelineError(failing.code, 'gone'));
  return { failing, store: { ...store, read } };
}

async function readState(): Promise<State> {
  const answer = await fetch(`http://127.0.0.1:${String(composed!.running.apiPort)}/readyz`);
  return { status: answer.status, ...((await answer.json()) as Omit<State, 'status'>) };
}

const event = (n: number) => ({ type: 'readiness.tested', event_id: `e-${String(n)}` });

describe('/readyz', () => {
  it('is ready while the sequencer waits for work, and names its log', async () => {
    const { store } = recordsThatAnswer();
    composed = await composeForTest({}, { records: store });
    await expect.poll(readState).toMatchObject({
      status: 200,
      ready: true,
      reasons: [],
      partitions: [{ log: 'p0', state: 'idle' }],
    });
  });

  it('is not ready when the record store does not answer, though there is nothing to seal', async () => {
    const { store, failing } = recordsThatAnswer();
    composed = await composeForTest({}, { records: store });
    await expect.poll(readState).toMatchObject({ ready: true });
    failing.code = 'STORE_UNAVAILABLE';
    expect(await readState()).toMatchObject({ status: 503, ready: false, reasons: ['STORE_UNAVAILABLE'] });
    failing.code = undefined;
    expect(await readState()).toMatchObject({ status: 200, ready: true });
  });

  it('is not ready while the partition is parked, and goes on to acknowledge', async () => {
    const { store } = recordsThatAnswer();
    const archive = createMemoryArchive();
    composed = await composeForTest({}, { records: store, archive });
    await expect.poll(readState).toMatchObject({ ready: true });
    expect((await composed.post('/v1/events', event(0))).status).toBe(200);
    await expect.poll(readState).toMatchObject({ published_tree_size: 1 });
    archive.objects.set(bundleKey('p0', 1), Buffer.from('somebody else was here'));
    expect((await composed.post('/v1/events', event(1))).status).toBe(200);
    await expect
      .poll(readState)
      .toMatchObject({ status: 503, ready: false, partitions: [{ log: 'p0', state: 'parked' }] });
    expect((await composed.post('/v1/events', event(2))).status).toBe(200);
    expect(await readState()).toMatchObject({
      reasons: [expect.stringMatching(/^[A-Z_]+$/)],
      tree_size: 1,
      published_tree_size: 1,
    });
    const metrics = await fetch(`http://127.0.0.1:${String(composed.running.apiPort)}/metrics`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    expect(await metrics.text()).toContain('\naffidavit_store_tree_size 1\n');
    expect(composed.appended.map(({ principal }) => principal)).toContain('affidavit');
  });
});

describe('a clock that was ahead and is set right', () => {
  it('is sealed as one record, and the log goes on', async () => {
    const { store } = recordsThatAnswer();
    let nowMs = NOW_MS + 3_600_000;
    composed = await composeForTest({}, { records: store, clock: () => nowMs });
    await composed.post('/v1/events', event(1));
    await expect.poll(() => store.rows.length).toBe(1);
    nowMs = NOW_MS;
    for (const n of [2, 3, 4]) {
      await composed.post('/v1/events', event(n));
      await expect.poll(() => store.rows.filter(({ type }) => type === 'readiness.tested').length).toBe(n);
    }
    await expect.poll(() => store.rows.length).toBe(5);
    const [stepped, ...more] = store.rows.filter(({ type }) => type === 'clock.stepped');
    expect(more).toEqual([]);
    expect(JSON.parse(stepped!.facts)).toMatchObject({
      collector: 'affidavit',
      reason: 'behind',
      duration_ms: 3_600_000,
    });
    expect(new Set(store.rows.map(({ integrated_at }) => integrated_at)).size).toBe(1);
    await expect.poll(readState).toMatchObject({ ready: true });
  });
});
