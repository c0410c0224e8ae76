import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assessCompleteness } from '../../../reports/completeness/completeness.ts';
import type { CompletenessScope } from '../../../reports/completeness/assessment.ts';
import type { CompletenessStatement } from '../../../schemas/control.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import { readRecording, RECORDING_NAMES } from '../../support/recorded-records.ts';
import { auditRecord, sealedRows } from '../../support/sealed-rows.ts';
import { deniedCall, executedCall, rowsOf, session, type Draft } from '../agent-week.ts';
import { openTestStore, type TestStore } from '../support.ts';

const PERIOD = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' };

describe('the completeness of a period', () => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore();
  });
  afterAll(() => store.dispose());

  async function assess(
    records: readonly AuditRecord[],
    scope?: CompletenessScope,
  ): Promise<CompletenessStatement> {
    return assessRows(sealedRows(records), scope);
  }
  async function assessRows(rows: ReturnType<typeof sealedRows>, scope?: CompletenessScope) {
    await store.clear();
    await store.insert('p0', rows, 'bundle');
    return assessCompleteness(store, PERIOD, scope);
  }
  const states = ({ statistics }: CompletenessStatement) =>
    Object.fromEntries(statistics.map(({ id, state }) => [id, state]));
  const codes = ({ findings }: CompletenessStatement) =>
    [...new Set(findings.map(({ code }) => code))].sort();

  it.each(RECORDING_NAMES)('has no hole in the recording %s of a real client', async (name) => {
    const statement = await assess(readRecording(name).records);
    expect(states(statement)).toMatchObject({ S2: 'ok', S3: 'ok', S4: 'ok', S6: 'ok', S8: 'ok' });
  });

  it('measures S1 to S9, in order, and says of each what it knows', async () => {
    const statement = await assess(readRecording('ordinary').records);
    expect(statement.statistics.map(({ id }) => id)).toEqual([
      'S1',
      'S2',
      'S3',
      'S4',
      'S5',
      'S6',
      'S7',
      'S8',
      'S9',
    ]);
    for (const { name, detail } of statement.statistics) expect(`${name} ${detail}`).toMatch(/\w+ \w+/);
    expect(states(statement)).toMatchObject({ S1: 'not_measured', S7: 'not_measured', S9: 'not_measured' });
  });

  it('names the rule that judged the counters, and the query that it judged', async () => {
    const { statistics } = await assess(readRecording('ordinary').records, { log: 'p0', below: 1000 });
    const rules = statistics.filter(({ rule }) => rule !== undefined);
    expect(rules.map(({ id }) => id)).toEqual(['S2']);
    expect(rules[0]?.rule).toMatchObject({
      id: 'sequence-gaps',
      version: 1,
      params: { log: 'p0', below: 1000 },
    });
    expect(rules[0]?.rule?.sql).toMatch(/^SELECT session_id[^]*FROM records/);
    expect(rules[0]?.figures).toContainEqual({
      name: 'rule for missing events',
      value: 'sequence-gaps, version 1',
    });
  });

  it('is incomplete once one numbered event is lost', async () => {
    const { records } = readRecording('ordinary');
    const numbered = records.filter(
      ({ facts }) => facts.event_sequence !== undefined && facts.session_id !== undefined,
    );
    const lost = numbered[Math.floor(numbered.length / 2)]!;
    const statement = await assess(records.filter((record) => record !== lost));
    expect(statement.state).toBe('incomplete');
    expect(states(statement)).toMatchObject({ S2: 'failed', S6: 'ok' });
    const sequence = lost.facts.event_sequence!;
    expect(statement.findings).toContainEqual({
      code: 'sequence_gap',
      session_id: lost.facts.session_id,
      tool_use_id: null,
      source: 'otel',
      detail: `events ${sequence} to ${sequence} are missing`,
    });
  });

  it('is incomplete once the hooks of one call are lost', async () => {
    const { records } = readRecording('ordinary');
    const call = records.find(({ type, source }) => type === 'tool.completed' && source === 'hook')!;
    const { tool_use_id } = call.facts;
    const statement = await assess(
      records.filter(({ source, facts }) => source !== 'hook' || facts.tool_use_id !== tool_use_id),
    );
    expect(states(statement)).toMatchObject({ S2: 'ok', S3: 'failed' });
    expect(codes(statement)).toContain('otel_call_without_hook');
  });

  it('does not call sessions complete that carry no counter or have one witness only', async () => {
    const hooksOnly = readRecording('ordinary').records.filter(({ source }) => source === 'hook');
    expect(states(await assess(hooksOnly))).toMatchObject({ S2: 'not_measured', S3: 'not_measured' });
  });

  it('measures nothing of sequences and counterparts where nothing was reported', async () => {
    await store.clear();
    const statement = await assessCompleteness(store, PERIOD);
    expect(states(statement)).toMatchObject({ S2: 'not_measured', S3: 'not_measured', S5: 'not_measured' });
  });

  it('fails S4 for an accepted call without result, and names it', async () => {
    const statement = await assessRows(rowsOf(session('s1', executedCall('s1', 't1').slice(0, 2))));
    expect(states(statement)).toMatchObject({ S4: 'failed' });
    expect(statement.findings).toContainEqual(
      expect.objectContaining({ code: 'decision_without_result', session_id: 's1', tool_use_id: 't1' }),
    );
  });

  it('fails S4 for reports that contradict each other', async () => {
    const failed = {
      type: 'tool.failed',
      source: 'hook' as const,
      facts: { session_id: 's1', tool_use_id: 't1' },
    };
    const statement = await assessRows(rowsOf([...executedCall('s1', 't1'), failed]));
    expect(states(statement)).toMatchObject({ S4: 'failed' });
    expect(codes(statement)).toContain('conflicting_results');
  });

  it('takes a rejected call that ran for an exception of a control, not for a hole', async () => {
    const ran = [
      { type: 'tool.completed', source: 'hook' as const, facts: { session_id: 's1', tool_use_id: 't1' } },
      {
        type: 'tool.measured',
        source: 'otel' as const,
        facts: { session_id: 's1', tool_use_id: 't1', success: true },
      },
    ];
    expect(states(await assessRows(rowsOf([...deniedCall('s1', 't1'), ...ran])))).toMatchObject({ S4: 'ok' });
  });

  it('fails S5 for a clock that is more than five seconds ahead', async () => {
    const dated = (occurred_at: string) =>
      rowsOf([{ type: 'model.called', source: 'otel', facts: { occurred_at } }], '2026-03-02T09:00:00.000Z');
    expect(states(await assessRows(dated('2026-03-02T09:00:04.9Z')))).toMatchObject({ S5: 'ok' });
    const ahead = await assessRows(dated('2026-03-02T09:00:05.1Z'));
    expect(states(ahead)).toMatchObject({ S5: 'failed' });
    expect(codes(ahead)).toContain('clock_ahead');
  });

  it('fails S5 where our own clock was found behind, and believes nobody but the program in that', async () => {
    const stepped = (collector: string) =>
      rowsOf([
        {
          type: 'clock.stepped',
          source: 'native',
          facts: { collector, reason: 'behind', duration_ms: 3_600_000 },
        },
      ]);
    expect(states(await assessRows(stepped('laptop')))).toMatchObject({ S5: 'not_measured' });
    const statement = await assessRows(stepped('affidavit'));
    expect(states(statement)).toMatchObject({ S5: 'failed' });
    expect(statement.findings).toContainEqual({
      code: 'clock_stepped',
      session_id: null,
      tool_use_id: null,
      source: 'affidavit',
      detail: '1 time set back, by up to 3600000 ms',
    });
  });

  it('fails S6 while records of the period lie above the checkpoint', async () => {
    const rows = rowsOf(session('s1', executedCall('s1', 't1')));
    expect(states(await assessRows(rows, { log: 'p0', below: rows.length }))).toMatchObject({ S6: 'ok' });
    const statement = await assessRows(rows, { log: 'p0', below: rows.length - 1 });
    expect(states(statement)).toMatchObject({ S6: 'failed' });
    expect(statement.statistics.find(({ id }) => id === 'S6')!.detail).toMatch(/^1 record of the period/);
  });

  it('fails S8 for items in quarantine and for hook runs with errors', async () => {
    const quarantined = {
      type: 'quarantined',
      source: 'affidavit' as const,
      facts: { source_event: 'otlp-logs', quarantine_reason: 'json_too_deep' },
    };
    const failedRun = {
      type: 'hook.executed',
      source: 'otel' as const,
      facts: { session_id: 's1', hook_event: 'Stop', hook_error_count: 1 },
    };
    for (const [draft, code] of [
      [quarantined, 'quarantined'],
      [failedRun, 'hook_delivery_error'],
    ] as const) {
      const statement = await assessRows(rowsOf([draft]));
      expect(states(statement)).toMatchObject({ S8: 'failed' });
      expect(codes(statement)).toContain(code);
    }
  });

  it('sees one session alone where it is asked to', async () => {
    const rows = rowsOf([
      ...session('s-good', executedCall('s-good', 't1')),
      ...session('s-bad', executedCall('s-bad', 't2').slice(0, 2)),
    ]);
    expect(states(await assessRows(rows))).toMatchObject({ S4: 'failed' });
    expect(states(await assessRows(rows, { session_id: 's-good' }))).toMatchObject({ S4: 'ok' });
  });

  it('sees one log alone where it is asked to, and the same as if there were no other', async () => {
    const good = session('s-good', executedCall('s-good', 't1'));
    const bad = session('s-bad', executedCall('s-bad', 't2').slice(0, 2));
    const [one, other] = [good, [...bad, CANARY_WORD]].map((drafts) =>
      drafts.map((draft, place) => auditRecord(`${String(place)} ${draft.facts.session_id ?? ''}`, draft)),
    );
    await store.clear();
    await store.insert('p0', sealedRows(one!, 'p0'), 'bundle');
    await store.insert('p1', sealedRows(other!, 'p1'), 'bundle');
    const alone = await assessCompleteness(store, PERIOD, { log: 'p0', below: one!.length });
    expect(states(alone)).toMatchObject({ S2: 'not_measured', S4: 'ok', S6: 'ok', S9: 'not_measured' });
    expect(alone.findings).toEqual([]);
    const both = await assessCompleteness(store, PERIOD);
    expect(states(both)).toMatchObject({ S4: 'failed', S9: 'failed' });
  });

  it('is compared with the roster of the identity feed', async () => {
    const expected = (target_user: string): Draft => ({
      type: 'identity.expected',
      source: 'identity',
      facts: { target_user },
    });
    const work = session('s1', executedCall('s1', 't1'));
    expect(states(await assessRows(rowsOf([expected('Dana@example.com'), ...work])))).toMatchObject({
      S1: 'ok',
    });
    const statement = await assessRows(rowsOf([expected('ada@example.com'), ...work]));
    expect(states(statement)).toMatchObject({ S1: 'failed' });
    expect(codes(statement)).toEqual(['expected_without_records', 'seen_without_being_expected']);
  });

  it("fails S2 for a hole in the numbers of a collector's deliveries", async () => {
    const delivery = (collector_sequence: number): Draft => ({
      type: 'event.observed',
      source: 'hook',
      facts: { collector_boot_id: 'b1', collector_sequence },
    });
    const statement = await assessRows(rowsOf([delivery(1), delivery(3)]));
    expect(states(statement)).toMatchObject({ S2: 'failed' });
    expect(statement.findings).toContainEqual(
      expect.objectContaining({ code: 'delivery_gap', source: 'laptop-1' }),
    );
  });

  it('fails S7 for a collector whose heartbeats stopped, and is ok where all of them came', async () => {
    const beat: Draft = {
      type: 'collector.heartbeat',
      source: 'native',
      facts: { collector_boot_id: 'b1', collector_sequence: 0 },
      content: { sent_by: 'timer', interval_ms: 1000 },
    };
    const other: Draft = { type: 'event.observed', source: 'hook', facts: {} };
    expect(states(await assessRows(rowsOf([beat, other, beat, other])))).toMatchObject({ S7: 'ok' });
    const statement = await assessRows(rowsOf([beat, other, other, other, other]));
    expect(states(statement)).toMatchObject({ S7: 'failed' });
    expect(codes(statement)).toContain('collector_silent');
  });

  it('fails S8 for what a collector says it lost', async () => {
    const loss: Draft = {
      type: 'collector.loss',
      source: 'native',
      facts: { reason: 'spool_full', metric_value: '3' },
    };
    const statement = await assessRows(rowsOf([loss]));
    expect(states(statement)).toMatchObject({ S8: 'failed' });
    expect(statement.findings).toContainEqual(
      expect.objectContaining({ code: 'collector_loss', detail: '3 events lost: spool_full' }),
    );
  });

  it('fails S8 for entries of the event log without an envelope, and for an event log that was replaced or a log that continues another', async () => {
    const own = (type: string, facts: object, name: string) =>
      auditRecord(name, {
        type,
        source: 'affidavit',
        facts: { source_event: type, collector: 'affidavit', ...facts },
      });
    const counts = { envelope_count: 3, repeat_count: 3, dead_letter_count: 0 };
    const whole = [...readRecording('ordinary').records, own('ingest.counted', counts, 'repeats')];
    expect(states(await assess(whole))).toMatchObject({ S8: 'ok' });
    const letters = own('ingest.counted', { ...counts, dead_letter_count: 2 }, 'letters');
    const replaced = own('event_log.replaced', { event_log: 'b', previous_event_log: 'a' }, 'replaced');
    const begun = own('generation.begun', { generation: 2, trusted_tree_size: 7 }, 'begun');
    const statement = await assess([...whole, letters, replaced, begun]);
    expect(states(statement)).toMatchObject({ S8: 'failed' });
    expect(codes(statement)).toEqual(
      expect.arrayContaining(['dead_letters', 'event_log_replaced', 'generation_begun']),
    );
  });

  describe('of a record of what is missing', () => {
    const day = (n: number) => new Date(Date.UTC(2026, 2, n)).toISOString();
    const read = async (facts: object, type: string) => {
      const record = auditRecord('loss', {
        type,
        source: 'affidavit',
        received_at: '2026-03-05T10:00:00.000Z',
        facts: { source_event: type, collector: 'affidavit', ...facts },
      });
      await assess([record]);
      const days = [1, 2, 3, 4, 5, 6].map((n) => ({ from: day(n), to: day(n + 1) }));
      const failed = [];
      for (const period of days) {
        const statement = await assessCompleteness(store, period);
        if (states(statement)['S8'] === 'failed') failed.push(Number(period.from.slice(8, 10)));
      }
      return failed;
    };

    it.each([
      ['event_log.gap', { reason: 'missing', first_number: 2, last_number: 6 }],
      ['event_log.gap', { reason: 'forked', first_number: 2, last_number: 2 }],
      ['event_log.replaced', {}],
      ['ingest.counted', { dead_letter_count: 5 }],
    ])('%s fails S8 of every day in which that may have been received', async (type, facts) => {
      expect(await read({ ...facts, missing_since: '2026-03-03T23:59:59.999Z' }, type)).toEqual([3, 4, 5]);
      expect(await read({ ...facts, missing_since: '2026-03-05T10:00:00.000Z' }, type)).toEqual([5]);
      expect(await read(facts, type)).toEqual([1, 2, 3, 4, 5]);
    });

    it('ingest.counted without dead letters fails no day', async () => {
      expect(await read({ dead_letter_count: 0, repeat_count: 3 }, 'ingest.counted')).toEqual([]);
    });
  });

  it('fails S8 for entries of the event log that are missing, and says how many', async () => {
    const gap = (reason: string, first_number: number, last_number: number) =>
      auditRecord(`gap-${first_number}`, {
        type: 'event_log.gap',
        source: 'affidavit',
        facts: {
          source_event: 'event_log.gap',
          collector: 'affidavit',
          event_log: 'a',
          writer: 'f'.repeat(32),
          reason,
          first_number,
          last_number,
        },
      });
    const statement = await assess([gap('missing', 2, 2), gap('missing', 7, 9), gap('forked', 11, 11)]);
    expect(states(statement)).toMatchObject({ S8: 'failed' });
    const details = statement.findings
      .filter(({ code }) => code === 'event_log_gap')
      .map(({ detail }) => detail);
    expect(details).toEqual([
      '4 entries of the event log missing: their writer numbered them, and they were not read',
      '1 entry of the event log whose writer wrote another entry before than the one that was read',
    ]);
  });

  it.each([['-5'], ['7.0'], [undefined], ['9223372036854775808', '9223372036854775808'], ['1e3']])(
    'fails S8 for a loss of %s, whose number does not read, and says so',
    async (...values) => {
      const losses = values.map((value, index): Draft => {
        const number = value === undefined ? {} : { metric_value: value };
        return {
          type: 'collector.loss',
          source: 'native',
          facts: { reason: 'spool_full', message_id: String(index), ...number },
        };
      });
      const { statistics, findings } = await assessRows(rowsOf(losses));
      const arrival = statistics.find(({ id }) => id === 'S8');
      expect(arrival?.state).toBe('failed');
      expect(arrival?.detail).toContain('a collector does not say how many events it lost');
      expect(findings).toContainEqual(
        expect.objectContaining({
          code: 'collector_loss',
          detail: `${String(losses.length)} report${losses.length === 1 ? '' : 's'} of loss whose number does not read: spool_full`,
        }),
      );
    },
  );

  it('counts a loss of zero events as none', async () => {
    const loss: Draft = {
      type: 'collector.loss',
      source: 'native',
      facts: { reason: 'spool_full', metric_value: '0' },
    };
    expect(states(await assessRows(rowsOf([loss])))).toMatchObject({ S8: 'ok' });
  });

  it('tells in S8 how many records had secrets replaced, which is no loss', async () => {
    const redacted: Draft = {
      type: 'prompt.submitted',
      source: 'hook',
      facts: { data_classes: ['email', 'github_token'] },
    };
    const plain: Draft = { type: 'prompt.submitted', source: 'hook', facts: { data_classes: ['email'] } };
    const { statistics } = await assessRows(rowsOf([redacted, plain]));
    const arrival = statistics.find(({ id }) => id === 'S8');
    expect(arrival).toMatchObject({ state: 'ok' });
    expect(arrival!.figures).toContainEqual({ name: 'records in which secrets were replaced', value: '1' });
  });

  it('fails S9 for a canary that was announced and is missing, and is ok where each is found', async () => {
    const canary: Draft = {
      type: 'prompt.submitted',
      source: 'hook',
      facts: { session_id: 'c1', synthetic: true },
    };
    expect(states(await assessRows(rowsOf([canary, CANARY_WORD])))).toMatchObject({ S9: 'ok' });
    const statement = await assessRows(rowsOf([CANARY_WORD]));
    expect(states(statement)).toMatchObject({ S9: 'failed' });
    expect(codes(statement)).toContain('canary_missing');
  });
});

const CANARY_WORD: Draft = {
  type: 'canary.sent',
  source: 'native',
  facts: { session_id: 'c1', reason: 'hook' },
};
