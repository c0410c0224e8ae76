import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../../schemas/record.ts';
import {
  clockSkew,
  hookDeliveryErrors,
  sessionsWithoutEnd,
  sourceCounts,
  toolCallsMissingCounterpart,
} from '../../../../store/records/queries/completeness.ts';
import { useQueryStore } from '../../../support/query-store.ts';
import { readRecording, RECORDING_NAMES } from '../../../support/recorded-records.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const store = useQueryStore();

describe('counterparts', () => {
  const codes = async () =>
    (await store.read(toolCallsMissingCounterpart({ limit: 100 }))).map((row) => [row.tool_use_id, row.code]);

  it.each(RECORDING_NAMES)('are missing for no call of the recording "%s"', async (name) => {
    const { records } = readRecording(name);
    await store.fill(records);
    expect(await codes()).toEqual([]);
    await store.fill(records.filter((record) => record.source === 'otel'));
    expect(await codes()).toEqual([]);
  });

  it.each<[string, (record: AuditRecord) => boolean, string[]]>([
    ['telemetry of one call', (r) => r.source === 'otel', ['hook_call_without_otel']],
    ['hooks of one call', (r) => r.source === 'hook', ['otel_call_without_hook']],
    ['the decision', (r) => r.type === 'tool.decided', ['result_without_decision']],
    ['the request', (r) => r.type === 'tool.requested', ['result_without_request']],
    [
      'every result',
      (r) => ['tool.completed', 'tool.measured', 'tool.reported'].includes(r.type),
      ['decision_without_result'],
    ],
    [
      'everything behind the request',
      (r) => r.type !== 'tool.requested',
      ['hook_call_without_otel', 'request_without_result'],
    ],
    ['one of two witnesses of the result', (r) => r.type === 'tool.completed', []],
  ])('are named when %s is lost', async (_, isLost, expected) => {
    const { records } = readRecording('ordinary');
    const call = records.find((record) => record.type === 'tool.requested')!.facts.tool_use_id!;
    await store.fill(records.filter((r) => !(r.facts.tool_use_id === call && isLost(r))));
    expect(await codes()).toEqual(expected.map((code) => [call, code]));
  });
});

describe('other signs of loss', () => {
  it('counts the records of each source in each session', async () => {
    await store.fill(readRecording('resumed').records);
    const counts = await store.read(sourceCounts({}));
    const total = counts.reduce((sum, row) => sum + row.record_count, 0);
    expect(total).toBe(readRecording('resumed').records.length);
    expect(counts.filter((row) => row.source === 'hook')).toHaveLength(1);
  });

  it('measures the delay from the source clock to ours', async () => {
    const at = (ms: number) => new Date(Date.UTC(2026, 2, 1, 10) + ms).toISOString();
    const delays = [-6000, -1, 0, 10, 20, 30];
    await store.fill([
      ...delays.map((delay) =>
        auditRecord(`delay ${delay}`, {
          source: 'otel',
          received_at: at(0),
          facts: { occurred_at: at(-delay) },
        }),
      ),
      auditRecord('no clock', { source: 'hook', received_at: at(0) }),
    ]);
    const nothing = { delay_ms_p50: null, delay_ms_p95: null, delay_ms_p99: null };
    expect(await store.read(clockSkew({}))).toEqual([
      {
        source: 'hook',
        record_count: 1,
        clocked_count: 0,
        delay_ms_min: null,
        ...nothing,
        delay_ms_max: null,
        ahead_count: 0,
        far_ahead_count: 0,
      },
      {
        source: 'otel',
        record_count: 6,
        clocked_count: 6,
        delay_ms_min: -6000,
        delay_ms_p50: 10,
        delay_ms_p95: 30,
        delay_ms_p99: 30,
        delay_ms_max: 30,
        ahead_count: 2,
        far_ahead_count: 1,
      },
    ]);
  });

  it('lists sessions whose end was never reported, but not provisional ones', async () => {
    const { records } = readRecording('resumed');
    await store.fill(records);
    expect(await store.read(sessionsWithoutEnd({ limit: 10 }))).toEqual([]);
    await store.fill(records.filter((record) => record.type !== 'session.ended'));
    const [open, ...rest] = await store.read(sessionsWithoutEnd({ limit: 10 }));
    expect(open?.sources).toEqual(['hook', 'otel']);
    expect(rest).toEqual([]);
  });

  it('lists hook runs in which a hook failed', async () => {
    const run = (name: string, hook_error_count: number) =>
      auditRecord(name, {
        type: 'hook.executed',
        source: 'otel',
        facts: { session_id: 's1', hook_event: 'PreToolUse', hook_error_count },
      });
    await store.fill([run('good', 0), run('bad', 2)]);
    expect(await store.read(hookDeliveryErrors({ limit: 10 }))).toMatchObject([
      { id: auditRecord('bad').id, session_id: 's1', hook_event: 'PreToolUse', hook_error_count: 2 },
    ]);
  });
});
