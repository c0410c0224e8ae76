import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditRecord, StatedFacts } from '../../../../schemas/record.ts';
import type { ToolCall } from '../../../../schemas/tool-call.ts';
import { countToolCalls, listToolCalls } from '../../../../store/records/queries/tool-calls.ts';
import { shuffled, useQueryStore } from '../../../support/query-store.ts';
import { readRecording, RECORDING_NAMES } from '../../../support/recorded-records.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

type Told = Pick<AuditRecord, 'type' | 'source'> & { facts: Partial<StatedFacts> };

const hook = (type: string, facts: Partial<StatedFacts> = {}): Told => ({ type, source: 'hook', facts });
const otel = (type: string, facts: Partial<StatedFacts> = {}): Told => ({ type, source: 'otel', facts });

const gateway = (facts: Partial<StatedFacts>): Told => ({ type: 'tool.reported', source: 'gateway', facts });
const transcript = (facts: Partial<StatedFacts>): Told => ({
  type: 'tool.reported',
  source: 'transcript',
  facts,
});

const EVIDENCE = {
  requested: hook('tool.requested'),
  completed: hook('tool.completed'),
  failed: hook('tool.failed'),
  'told nothing known': hook('tool.reported', { told: 'unrecognised' }),
  'told denied by rule': hook('tool.reported', { told: 'denied', decision_source: 'rule' }),
  'told denied by hook': hook('tool.reported', { told: 'denied', decision_source: 'hook' }),
  'told denied': hook('tool.reported', { told: 'denied' }),
  'told unavailable': hook('tool.reported', { told: 'unavailable' }),
  'told failed': hook('tool.reported', { told: 'failed' }),
  'transcript told unavailable': {
    type: 'tool.reported',
    source: 'transcript',
    facts: { told: 'unavailable' },
  } satisfies Told,
  'gateway asked': { type: 'tool.requested', source: 'gateway', facts: {} } satisfies Told,
  'gateway told executed': gateway({ told: 'executed', success: true }),
  'gateway told denied by rule': gateway({ told: 'denied', success: false, decision_source: 'rule' }),
  'gateway told failed': gateway({ told: 'failed', success: false }),
  'gateway told an unknown error': gateway({ told: 'unrecognised', success: false }),
  'gateway told something': gateway({ told: 'unrecognised' }),
  'transcript told executed by user': transcript({
    ...{ told: 'executed', success: true, decision: 'accept', decision_source: 'user_permanent' },
  }),
  'accepted by rule': otel('tool.decided', { decision: 'accept', decision_source: 'config' }),
  'accepted by user': otel('tool.decided', { decision: 'accept', decision_source: 'user_permanent' }),
  'accepted by hook': otel('tool.decided', { decision: 'accept', decision_source: 'hook' }),
  'rejected by rule': otel('tool.decided', { decision: 'reject', decision_source: 'config' }),
  'rejected by user': otel('tool.decided', { decision: 'reject', decision_source: 'user_reject' }),
  'rejected by hook': otel('tool.decided', { decision: 'reject', decision_source: 'hook' }),
  'rejected by something new': otel('tool.decided', { decision: 'reject', decision_source: 'oracle' }),
  'denied by classifier': hook('permission.denied'),
  'measured good': otel('tool.measured', { success: true }),
  'measured bad': otel('tool.measured', { success: false }),
  'measured without a result': otel('tool.measured'),
} as const;
type EvidenceName = keyof typeof EVIDENCE;

/** The evidence of a call; its outcome, decider and reason. */
const RULES: [EvidenceName[], string, string | null, string | null][] = [
  [['requested', 'completed', 'told nothing known'], 'executed', null, null],
  [['accepted by rule', 'measured good'], 'executed', 'rule', null],
  [['requested', 'completed', 'accepted by user', 'measured good'], 'executed', 'user', null],
  [['accepted by hook', 'completed'], 'executed', 'hook', null],
  [['completed', 'told denied by rule'], 'executed', null, null],
  [['gateway asked', 'gateway told executed'], 'executed', null, null],
  [['transcript told executed by user'], 'executed', 'user', null],
  [['requested', 'gateway told executed'], 'executed', null, null],
  [['accepted by rule', 'gateway told executed'], 'executed', 'rule', null],
  [['rejected by rule', 'gateway told executed'], 'executed', null, 'rejected_but_executed'],
  [['denied by classifier', 'gateway told executed'], 'executed', null, 'rejected_but_executed'],
  [['completed', 'gateway told an unknown error'], 'unresolved', null, 'conflicting_results'],
  [['failed', 'gateway told executed'], 'unresolved', null, 'conflicting_results'],
  [['failed', 'gateway told an unknown error'], 'failed', null, null],
  [['gateway told executed', 'told denied by rule'], 'unresolved', null, 'conflicting_reports'],
  [['gateway asked', 'gateway told denied by rule'], 'denied', 'rule', null],
  [['accepted by user', 'gateway told failed'], 'failed', 'user', null],
  [['requested', 'gateway told failed'], 'failed', null, null],
  [['gateway asked', 'gateway told an unknown error'], 'unresolved', null, 'report_not_recognised'],
  [['gateway asked', 'gateway told something'], 'unresolved', null, 'report_not_recognised'],
  [['gateway asked'], 'unresolved', null, 'no_result_seen'],
  [['requested', 'failed', 'told nothing known'], 'failed', null, null],
  [['accepted by user', 'measured bad'], 'failed', 'user', null],
  [['failed', 'measured good'], 'unresolved', null, 'conflicting_results'],
  [['completed', 'measured bad', 'rejected by rule'], 'unresolved', null, 'conflicting_results'],
  [['rejected by user', 'measured good'], 'executed', null, 'rejected_but_executed'],
  [['rejected by rule', 'failed'], 'failed', null, 'rejected_but_executed'],
  [['denied by classifier', 'completed'], 'executed', null, 'rejected_but_executed'],
  [['accepted by rule', 'rejected by user', 'completed'], 'executed', 'rule', 'rejected_but_executed'],
  [['accepted by rule', 'rejected by user'], 'unresolved', null, 'conflicting_decisions'],
  [['requested', 'rejected by rule', 'told denied by rule'], 'denied', 'rule', null],
  [['rejected by user'], 'denied', 'user', null],
  [['rejected by hook'], 'denied', 'hook', null],
  [['rejected by something new'], 'denied', null, null],
  [['requested', 'rejected by rule', 'told nothing known'], 'denied', 'rule', null],
  [['requested', 'denied by classifier'], 'denied', 'classifier', null],
  [['denied by classifier', 'rejected by rule'], 'denied', 'classifier', null],
  [['denied by classifier', 'rejected by user'], 'denied', 'user', null],
  [['denied by classifier', 'rejected by hook'], 'denied', 'hook', null],
  [['told denied by rule'], 'denied', 'rule', null],
  [['requested', 'told denied by hook'], 'denied', 'hook', null],
  [['told denied'], 'denied', null, null],
  [['accepted by rule', 'told denied by rule'], 'unresolved', null, 'accepted_but_told_denied'],
  [['told unavailable'], 'unavailable', null, null],
  [['told failed'], 'failed', null, null],
  [['requested', 'told unavailable'], 'unresolved', null, 'no_result_seen'],
  [['accepted by rule', 'told failed'], 'unresolved', null, 'accepted_no_result_seen'],
  [['told denied', 'transcript told unavailable'], 'unresolved', null, 'conflicting_reports'],
  [['told nothing known'], 'unresolved', null, 'refused_before_running'],
  [['told nothing known', 'transcript told unavailable'], 'unavailable', null, null],
  [['requested', 'told nothing known'], 'unresolved', null, 'no_result_seen'],
  [['requested'], 'unresolved', null, 'no_result_seen'],
  [['accepted by user'], 'unresolved', null, 'accepted_no_result_seen'],
  [['requested', 'accepted by rule'], 'unresolved', null, 'accepted_no_result_seen'],
  [['measured without a result'], 'unresolved', null, 'no_result_seen'],
];

function callRecords(evidence: readonly Told[], call: string): AuditRecord[] {
  return evidence.map((told, n) =>
    auditRecord(`${call} ${n}`, {
      ...told,
      facts: { session_id: 's1', tool_use_id: call, tool_name: 'Bash', ...told.facts },
    }),
  );
}

describe('tool calls', () => {
  const store = useQueryStore();
  const calls = () => store.read(listToolCalls({ limit: 1000 }));
  const callsById = async () => new Map((await calls()).map((call) => [call.tool_use_id, call]));

  it('derives outcome, decider and reason by the rules', async () => {
    await store.fill(
      RULES.flatMap(([names], n) =>
        callRecords(
          names.map((name) => EVIDENCE[name]),
          `call-${n}`,
        ),
      ),
    );
    const found = await callsById();
    const table = RULES.map(([names], n) => {
      const call = found.get(`call-${n}`);
      return [names, call?.outcome, call?.decided_by, call?.reason];
    });
    expect(table).toEqual(RULES);
  });

  it('derives the same from the same evidence in any order and however often', async () => {
    const names = Object.keys(EVIDENCE) as EvidenceName[];
    const cases = fc.sample(fc.subarray(names, { minLength: 1, maxLength: 8 }), { numRuns: 150, seed: 11 });
    const records = cases.flatMap((names, n) => {
      const evidence = names.map((name) => EVIDENCE[name]);
      return [
        callRecords(evidence, `plain-${n}`),
        callRecords(shuffled([...evidence, ...evidence], n), `mixed-${n}`),
      ].flat();
    });
    await store.fill(records);
    const found = await callsById();
    const verdict = (id: string) => {
      const { outcome, decided_by, reason, seen_by, tool_name } = found.get(id)!;
      return { outcome, decided_by, reason, seen_by, tool_name };
    };
    for (let n = 0; n < cases.length; n += 1) {
      expect(verdict(`mixed-${n}`), cases[n]!.join(', ')).toEqual(verdict(`plain-${n}`));
    }
  });

  it('gives the members of a tool call and no others, names sources and records in order', async () => {
    await store.fill([
      auditRecord('unrelated', { facts: { session_id: 's1' } }),
      auditRecord('decision', {
        type: 'tool.decided',
        source: 'otel',
        facts: {
          session_id: 's1',
          tool_use_id: 't1',
          tool_name: 'mcp_tool',
          decision: 'accept',
          decision_source: 'config',
          occurred_at: '2026-03-01T10:00:00.500Z',
        },
      }),
      auditRecord('result', {
        type: 'tool.measured',
        source: 'otel',
        facts: {
          session_id: 's1',
          tool_use_id: 't1',
          tool_name: 'mcp_tool',
          success: true,
          occurred_at: '2026-03-01T10:00:00.25Z',
        },
      }),
      auditRecord('post', {
        type: 'tool.completed',
        facts: { session_id: 's1', tool_use_id: 't1', tool_name: 'mcp__tickets__create' },
      }),
    ]);
    expect(await calls()).toEqual([
      {
        tool_use_id: 't1',
        session_id: 's1',
        tool_name: 'mcp__tickets__create',
        outcome: 'executed',
        decided_by: 'rule',
        reason: null,
        seen_by: ['hook', 'otel'],
        occurred_at: '2026-03-01T10:00:00.250Z',
        record_ids: ['decision', 'result', 'post'].map((name) => auditRecord(name).id),
      },
    ]);
  });

  it('keeps calls of different sessions apart, also where their ids are the same', async () => {
    const inSession = (session_id: string, type: string) =>
      auditRecord(`${session_id} ${type}`, { type, facts: { session_id, tool_use_id: 't1' } });
    await store.fill([inSession('s1', 'tool.completed'), inSession('s2', 'tool.failed')]);
    const outcomes = (await calls()).map(({ session_id, outcome }) => [session_id, outcome]);
    expect(outcomes).toEqual([
      ['s1', 'executed'],
      ['s2', 'failed'],
    ]);
    const one = await store.read(listToolCalls({ session_id: 's2', limit: 10 }));
    expect(one.map((call) => call.outcome)).toEqual(['failed']);
  });

  it('puts a call into the period of its first record, and judges it by all of them', async () => {
    const at = (hour: number) => new Date(Date.UTC(2026, 2, 1, hour)).toISOString();
    await store.fill([
      auditRecord('early', {
        type: 'tool.requested',
        received_at: at(1),
        facts: { session_id: 's1', tool_use_id: 't1' },
      }),
      auditRecord('late', {
        type: 'tool.completed',
        received_at: at(3),
        facts: { session_id: 's1', tool_use_id: 't1' },
      }),
    ]);
    const outcomes = async (from: number, to: number) =>
      (await store.read(listToolCalls({ from: at(from), to: at(to), limit: 10 }))).map(
        (call) => call.outcome,
      );
    expect(await outcomes(1, 2)).toEqual(['executed']);
    expect(await outcomes(2, 4)).toEqual([]);
    expect(await outcomes(0, 1)).toEqual([]);
    expect(await store.read(countToolCalls({ from: at(1), to: at(2) }))).toEqual([
      { outcome: 'executed', call_count: 1 },
    ]);
    const sealed = await store.read(listToolCalls({ from: at(1), to: at(2), below: 1, limit: 10 }));
    expect(sealed.map((call) => call.reason)).toEqual(['no_result_seen']);
  });

  describe.each(RECORDING_NAMES)('of the recording "%s"', (name) => {
    const { records, truth } = readRecording(name);
    const outcomesOf = (found: readonly ToolCall[]) =>
      new Map(found.map((call) => [call.tool_use_id, call.outcome]));

    it('are the real outcomes, in any order of arrival', async () => {
      for (const seed of [0, 1, 2, 3, 4]) {
        await store.fill(seed === 0 ? records : shuffled(records, seed));
        expect(outcomesOf(await calls())).toEqual(truth);
      }
    });

    it('page in the order of the log without loss or repetition', async () => {
      await store.fill(records);
      const all = await calls();
      const paged: ToolCall[] = [];
      for (;;) {
        const page = await store.read(listToolCalls({ after: paged.at(-1), limit: 2 }));
        paged.push(...page);
        if (page.length < 2) break;
      }
      expect(paged).toEqual(all);
      const counts = await store.read(countToolCalls({}));
      expect(counts.reduce((sum, row) => sum + row.call_count, 0)).toBe(all.length);
      for (const { outcome, call_count } of counts) {
        const some = await store.read(listToolCalls({ outcome, limit: 100 }));
        expect(some).toEqual(all.filter((call) => call.outcome === outcome));
        expect(some).toHaveLength(call_count);
      }
    });
  });

  it('are derived from hooks alone and from telemetry alone, as far as each can see', async () => {
    const { records, truth } = readRecording('denied');
    await store.fill(records.filter((record) => record.source === 'hook'));
    expect(new Map((await calls()).map((call) => [call.tool_use_id, call.outcome]))).toEqual(truth);
    await store.fill(records.filter((record) => record.source === 'otel'));
    for (const call of await calls()) expect(call.outcome).toBe(truth.get(call.tool_use_id));
    expect(await calls()).toHaveLength(4);
  });
});
