import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompletenessScope } from '../../../reports/completeness/assessment.ts';
import { assessCompleteness } from '../../../reports/completeness/completeness.ts';
import { toInstant } from '../../../schemas/clock.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import { readRecording } from '../../support/recorded-records.ts';
import { sealedRows } from '../../support/sealed-rows.ts';
import { openTestStore, type TestStore } from '../support.ts';

const PERIOD = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' };

describe('envelopes that are acknowledged and not sealed', () => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore();
  });
  afterAll(() => store.dispose());

  /** S6 of the period. */
  async function judge(records: readonly AuditRecord[], backlog: CompletenessScope['backlog']) {
    await store.clear();
    await store.insert('p0', sealedRows(records), 'bundle');
    const { statistics } = await assessCompleteness(store, PERIOD, { backlog });
    return statistics.find(({ id }) => id === 'S6')!;
  }

  it('fails S6 for every period that acknowledged and unsealed envelopes may belong to', async () => {
    const { records } = readRecording('ordinary');
    const S6 = async (backlog: CompletenessScope['backlog']) => (await judge(records, backlog)).state;
    const oldestReceivedAt = PERIOD.to.replace('Z', '.000Z');
    expect(await S6({ envelopes: 0 })).toBe('ok');
    expect(await S6({ envelopes: 1, oldestReceivedAt })).toBe('ok');
    expect(await S6({ envelopes: 1, oldestReceivedAt: '2026-12-31T23:59:59.999Z' })).toBe('failed');
    expect(await S6({ envelopes: 1 })).toBe('failed');
    expect(await S6('unknown')).toBe('failed');
    expect((await judge(records, { envelopes: 7 })).detail).toMatch(
      /7 envelopes acknowledged and not sealed yet, and it is not known when the oldest was received/,
    );
  });

  it('prints the backlog of each partition, and leaves room for receivers whose clocks differ', async () => {
    const { records } = readRecording('ordinary');
    const S6 = async (oldestReceivedAt: string | undefined) => {
      const partitions = [
        { partition: 2, envelopes: 3, oldestReceivedAt },
        { partition: 5, envelopes: 4, oldestReceivedAt: '2027-02-03T04:05:06.007Z' },
      ];
      return judge(records, { envelopes: 7, oldestReceivedAt, partitions });
    };
    const endMs = Date.parse(PERIOD.to);
    const { state, figures, detail } = await S6(toInstant(endMs + 599_999));
    expect(state).toBe('failed');
    expect(detail).toContain(
      `7 envelopes acknowledged and not sealed yet, received at ${toInstant(endMs - 1)} or later`,
    );
    expect(figures.slice(-4)).toEqual([
      { name: 'envelopes acknowledged and not sealed', value: '7' },
      { name: 'the first of them was received at', value: toInstant(endMs + 599_999) },
      { name: 'of these in partition 2', value: `3, the first received at ${toInstant(endMs + 599_999)}` },
      { name: 'of these in partition 5', value: '4, the first received at 2027-02-03T04:05:06.007Z' },
    ]);
    expect((await S6(toInstant(endMs + 600_000))).state).toBe('ok');
    const unknown = await S6(undefined);
    expect(unknown.state).toBe('failed');
    expect(unknown.figures.at(-2)?.value).toBe('3, the first received at a time that is not known');
  });
});
