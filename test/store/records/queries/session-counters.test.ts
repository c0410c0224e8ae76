import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../../schemas/record.ts';
import { sessionCounters, type SessionCounter } from '../../../../store/records/queries/session-counters.ts';
import { useQueryStore } from '../../../support/query-store.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const store = useQueryStore();

/** One event a second from `startSecond` on, in batches that the receiver gets every ten seconds. */
function counted(
  session_id: string,
  numbers: readonly number[],
  { startSecond = 0, install = 'm1', type = 'model.called' } = {},
): AuditRecord[] {
  const instant = (second: number) => new Date(Date.UTC(2026, 2, 1, 9) + second * 1000).toISOString();
  return numbers.map((event_sequence, n) =>
    auditRecord(`${session_id} ${startSecond} ${n}`, {
      type,
      source: 'otel',
      received_at: instant(Math.ceil((startSecond + n + 1) / 10) * 10),
      facts: { session_id, install_id: install, event_sequence, occurred_at: instant(startSecond + n) },
    }),
  );
}
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, n) => first + n);
const numbersOf = ({ session_id, stretches }: SessionCounter) => [
  session_id,
  ...stretches.map(({ first, last }) => `${first}-${last}`),
];
const answered = async () => (await store.read(sessionCounters({}))).map(numbersOf);

describe('the counters of sessions', () => {
  it('are not answered for a machine on which each number follows the one before it', async () => {
    await store.fill([
      ...counted('whole', range(0, 20)),
      ...counted('resumed', range(0, 20)),
      ...counted('resumed', range(0, 5), { startSecond: 100 }),
      ...counted('start', range(0, 5), { type: 'hook.registered' }),
    ]);
    expect(await answered()).toEqual([]);
  });

  it('are answered for each session that misses numbers, and for the starts of its machine', async () => {
    await store.fill([
      ...counted('holed', [0, 1, 2, 5, 6, 30]),
      ...counted('start', range(0, 5), { type: 'hook.registered' }),
      ...counted('whole', range(0, 20)),
      ...counted('elsewhere', range(0, 5), { type: 'hook.registered', install: 'm2' }),
    ]);
    expect(await answered()).toEqual([
      ['holed', '0-2', '5-6', '30-30'],
      ['start', '0-5'],
    ]);
  });

  it('are one stretch however many events follow each other, and however often they were received', async () => {
    await store.fill(counted('late', range(1, 2000)));
    const [session] = await store.read(sessionCounters({}));
    expect(session?.stretches).toEqual([
      {
        first: 1,
        last: 2000,
        first_at: '2026-03-01T09:00:00.000000000Z',
        last_at: '2026-03-01T09:33:19.000000000Z',
        received_at: '2026-03-01T09:00:10.000Z',
      },
    ]);
  });

  it('are cut at each receipt where a later run begins above 0, so that numbers can be counted', async () => {
    await store.fill([...counted('a', range(0, 19)), ...counted('a', range(7, 16), { startSecond: 100 })]);
    expect(await answered()).toEqual([['a', '0-9', '10-19', '7-16']]);
  });
});
