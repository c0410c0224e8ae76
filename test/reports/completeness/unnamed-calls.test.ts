import { afterAll, beforeAll, expect, it } from 'vitest';
import { assessCompleteness } from '../../../reports/completeness/completeness.ts';
import { executedCall, rowsOf, session, type Draft } from '../agent-week.ts';
import { openTestStore, type TestStore } from '../support.ts';

const PERIOD = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' };
let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.dispose());

async function reconciliationOf(drafts: readonly Draft[]) {
  await store.clear();
  await store.insert('p0', rowsOf([...drafts]), 'bundle');
  const { statistics } = await assessCompleteness(store, PERIOD);
  return statistics.find(({ id }) => id === 'S3');
}

it.each([
  ['the id of the call', { session_id: 's1' }],
  ['its session', { tool_use_id: 't2' }],
])(
  'S3 is not measured where a report of a tool call lacks %s: nothing can be compared with it',
  async (_, facts) => {
    const whole = session('s1', executedCall('s1', 't1'));
    const unnamed: Draft = { type: 'tool.completed', source: 'hook', facts: { ...facts, tool_name: 'Edit' } };
    expect(await reconciliationOf(whole)).toMatchObject({ state: 'ok' });
    const found = await reconciliationOf([...whole, unnamed]);
    expect(found).toMatchObject({ state: 'not_measured' });
    expect(found?.detail).toContain('1 report of tool calls without the id of the call or of its session');
  },
);
