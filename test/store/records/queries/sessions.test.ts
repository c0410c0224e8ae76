import { describe, expect, it } from 'vitest';
import {
  listSessions,
  sessionTimeline,
  type SessionRow,
} from '../../../../store/records/queries/sessions.ts';
import { useQueryStore } from '../../../support/query-store.ts';
import { readRecording } from '../../../support/recorded-records.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute)).toISOString();

describe('sessions', () => {
  const store = useQueryStore();
  const inSession = (session_id: string, minute: number, claimed_user?: string) =>
    auditRecord(`${session_id} ${minute}`, {
      type: 'prompt.submitted',
      received_at: at(minute),
      facts: { session_id, ...(claimed_user === undefined ? {} : { claimed_user }) },
    });

  it('are described by all their records', async () => {
    await store.fill([
      auditRecord('no session', { received_at: at(0) }),
      auditRecord('start', {
        type: 'session.started',
        received_at: at(1),
        facts: { session_id: 's1', permission_mode: 'default' },
      }),
      auditRecord('decision', {
        type: 'tool.decided',
        source: 'otel',
        received_at: at(5),
        facts: {
          session_id: 's1',
          tool_use_id: 't1',
          claimed_user: 'zoe',
          occurred_at: '2026-03-01T10:02:00.5Z',
          collector: 'laptop-2',
        },
      }),
      auditRecord('answer', {
        type: 'model.called',
        source: 'otel',
        received_at: at(6),
        facts: {
          session_id: 's1',
          model: 'm-1',
          claimed_user: 'alice',
          occurred_at: '2026-03-01T10:01:30.123456Z',
          permission_mode: 'plan',
        },
      }),
      auditRecord('end', { type: 'session.ended', received_at: at(4), facts: { session_id: 's1' } }),
    ]);
    expect(await store.read(listSessions({ limit: 10 }))).toEqual([
      {
        session_id: 's1',
        started_at: at(1),
        last_seen_at: at(6),
        first_occurred_at: '2026-03-01T10:01:30.123456Z',
        last_occurred_at: '2026-03-01T10:02:00.500Z',
        claimed_user: 'zoe',
        claimed_users: ['alice', 'zoe'],
        collectors: ['laptop-1', 'laptop-2'],
        models: ['m-1'],
        permission_modes: ['default', 'plan'],
        sources: ['hook', 'otel'],
        record_count: 4,
        tool_call_count: 1,
        ended: true,
        provisional: false,
      } satisfies SessionRow,
    ]);
  });

  it('are listed newest first, and each once over all pages', async () => {
    await store.fill([
      ...['a', 'b', 'c', 'd', 'e'].map((name, n) => inSession(name, n < 2 ? n : 2)),
      inSession('a', 30),
    ]);
    const seen: SessionRow[] = [];
    for (;;) {
      const page = await store.read(listSessions({ after: seen.at(-1), limit: 2 }));
      seen.push(...page);
      if (page.length < 2) break;
    }
    expect(seen.map((row) => row.session_id)).toEqual(['e', 'd', 'c', 'b', 'a']);
  });

  it('are those seen in the period, or of the person, and still described as a whole', async () => {
    await store.fill([inSession('a', 1, 'alice'), inSession('b', 2), inSession('a', 9)]);
    const ids = async (filter: { from?: string; to?: string; claimed_user?: string; below?: number }) =>
      (await store.read(listSessions({ ...filter, limit: 10 }))).map((row) => row.session_id);
    expect(await ids({ from: at(9), to: at(10) })).toEqual(['a']);
    expect(await ids({ from: at(2), to: at(9) })).toEqual(['b']);
    expect(await ids({ claimed_user: 'alice' })).toEqual(['a']);
    expect(await ids({ claimed_user: 'alice', from: at(2) })).toEqual([]);
    expect(await ids({ below: 1 })).toEqual(['a']);
    const [whole] = await store.read(listSessions({ from: at(9), limit: 10 }));
    expect(whole).toMatchObject({ record_count: 2, started_at: at(1), ended: false });
  });

  it('are provisional where only start-up telemetry carries their id', async () => {
    await store.fill(readRecording('resumed').records);
    const rows = await store.read(listSessions({ limit: 10 }));
    expect(rows.map((row) => [row.provisional, row.sources])).toEqual(
      expect.arrayContaining([
        [true, ['otel']],
        [false, ['hook', 'otel']],
      ]),
    );
    expect(rows).toHaveLength(2);
  });

  it('have a timeline by the source clock, else ours, that pages without loss', async () => {
    await store.fill(readRecording('ordinary').records);
    const [session] = await store.read(listSessions({ limit: 1 }));
    const { session_id } = session!;
    const all = await store.read(sessionTimeline({ session_id, limit: 1000 }));
    expect(all).toHaveLength(session!.record_count);
    const order = all.map(
      (row) => `${row.ordered_at.padEnd(30, '0')} ${String(row.leaf_index).padStart(6, '0')}`,
    );
    expect(order).toEqual([...order].sort());
    const paged: typeof all = [];
    for (;;) {
      const page = await store.read(sessionTimeline({ session_id, after: paged.at(-1), limit: 7 }));
      paged.push(...page);
      if (page.length < 7) break;
    }
    expect(paged).toEqual(all);
    expect(all[0]).not.toHaveProperty('content');
    const [withContent] = await store.read(sessionTimeline({ session_id, limit: 1, withContent: true }));
    expect(withContent).toHaveProperty('content');
  });
});
