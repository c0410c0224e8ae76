import { describe, expect, it } from 'vitest';
import { canaryCounts, missingCanaries } from '../../../../store/records/queries/canaries.ts';
import { useQueryStore } from '../../../support/query-store.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const store = useQueryStore();
const canary = (session_id: string, source: 'hook' | 'otel' | 'gateway', synthetic = true) =>
  auditRecord(`${session_id} ${source}`, {
    source,
    facts: { session_id, ...(synthetic ? { synthetic } : {}) },
  });
const word = (session_id: string, through: string) =>
  auditRecord(`word ${session_id} ${through}`, {
    type: 'canary.sent',
    source: 'native',
    received_at: '2026-03-01T11:00:00.000Z',
    facts: { session_id, reason: through },
  });

describe('canaries', () => {
  it('that were announced are looked for by session and source', async () => {
    await store.fill([
      canary('c1', 'hook'),
      word('c1', 'hook'),
      word('c1', 'otel'),
      canary('c2', 'otel'),
      word('c2', 'otel'),
    ]);
    expect(await store.read(canaryCounts({}))).toEqual([
      { through: 'hook', announced_count: 1, found_count: 1 },
      { through: 'otel', announced_count: 2, found_count: 1 },
    ]);
    expect(await store.read(missingCanaries({ limit: 9 }))).toMatchObject([
      { session_id: 'c1', through: 'otel' },
    ]);
  });

  it('are found only in records that are marked synthetic', async () => {
    await store.fill([canary('c1', 'hook', false), word('c1', 'hook')]);
    expect(await store.read(missingCanaries({ limit: 9 }))).toHaveLength(1);
  });

  it('belong to the period of the announcement, and are found in any period', async () => {
    await store.fill([canary('c1', 'hook'), word('c1', 'hook')]);
    const hour = { from: '2026-03-01T10:30:00Z', to: '2026-03-01T12:00:00Z' };
    expect(await store.read(canaryCounts(hour))).toEqual([
      { through: 'hook', announced_count: 1, found_count: 1 },
    ]);
    expect(await store.read(canaryCounts({ to: '2026-03-01T10:30:00Z' }))).toEqual([]);
  });
});
