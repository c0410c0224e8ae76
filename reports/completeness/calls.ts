/** How the reports on tool calls fit together: reconciliation (S3) and decision coherence (S4). */
import type { CompletenessFinding } from '../../schemas/control.ts';
import type { Query } from '../../store/records/record-store.ts';
import {
  toolCallsMissingCounterpart,
  type CounterpartCode,
  type MissingCounterpart,
} from '../../store/records/queries/completeness.ts';
import { paramsOf, where } from '../../store/records/queries/conditions.ts';
import { UNNAMED_CALL_RECORDS } from '../../store/records/queries/tool-call-verdict.ts';
import { selectCalls } from '../../store/records/queries/tool-calls.ts';
import { withinAssessment } from './coverage.ts';
import { readSessionShape, type SessionShape } from './sequence-statistics.ts';
import { ALL_ROWS, askedOf, LISTED_FINDINGS, type Assessment, type Measured } from './assessment.ts';
import { counted } from '../controls/counted.ts';

/** Calls that one source reported and another source, present in the same session, did not. */
const RECONCILIATION: Partial<Record<CounterpartCode, string>> = {
  hook_call_without_otel: 'the hooks reported the call, the telemetry did not',
  otel_call_without_hook: 'the telemetry reported the call, the hooks did not',
  call_without_gateway: 'the call was reported, and the gateway of its session did not see it',
  call_without_transcript: 'the call was reported, and the transcript of its session does not have it',
  gateway_call_without_hook: 'the gateway saw the call, the hooks did not report it',
  transcript_call_without_hook: 'the transcript has the call, the hooks did not report it',
};

/** Calls whose reports lack a necessary step. */
const COHERENCE: Partial<Record<CounterpartCode, string>> = {
  result_without_decision: 'a result was reported, and no decision',
  decision_without_result: 'the call was accepted, and no result was reported',
  result_without_request: 'a result was reported, and no request',
  request_without_result: 'the call was requested, and neither a decision nor a result was reported',
};

/**
 * Calls whose reports contradict each other. A rejected call that ran is not among them. It is an exception of a
 * control, not a hole in the population.
 */
const CONTRADICTIONS: Readonly<Record<string, string>> = {
  conflicting_results: 'the call was reported as succeeded and as failed',
  conflicting_decisions: 'the call was reported as accepted and as rejected',
  conflicting_reports: 'the model was told different things about the call',
  accepted_but_told_denied: 'the call was accepted, and the model was told that it was denied',
};

interface CodeCount {
  readonly code: string;
  readonly call_count: number;
}

/** S3: the hooks and the telemetry reported the same calls. */
export async function measureReconciliation(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const shape = await readSessionShape(assessment);
  const [unnamed] = await store.read(countUnnamed(assessment), scope.limits);
  const unnamedCount = unnamed?.report_count ?? 0;
  const counts = await store.read(countByCode(assessment, RECONCILIATION), scope.limits);
  const missing = total(counts);
  const rows = missing === 0 ? [] : await store.read(listByCode(assessment, RECONCILIATION), scope.limits);
  return {
    statistic: {
      id: 'S3',
      name: 'Reconciliation',
      ...reconciliationVerdict({ missing, unnamedCount }, shape),
      figures: [
        { name: 'sessions with tool calls', value: String(shape.session_count) },
        { name: 'of them with one witness only', value: String(shape.single_witness_count) },
        { name: 'reports of calls without an id or a session', value: String(unnamedCount) },
        ...counts.map(toFigure),
      ],
    },
    findings: rows.map((row) => toFinding(row, RECONCILIATION)),
  };
}

function reconciliationVerdict(
  { missing, unnamedCount }: { readonly missing: number; readonly unnamedCount: number },
  { session_count, single_witness_count }: SessionShape,
): { state: 'ok' | 'failed' | 'not_measured'; detail: string } {
  if (missing > 0) {
    const detail = `${counted(missing, 'tool call')} seen by one source and not by the other, which was there`;
    return { state: 'failed', detail };
  }
  if (unnamedCount > 0) {
    const detail = `${counted(unnamedCount, 'report')} of tool calls without the id of the call or of its session, so these calls were not compared, and without an id a call is in no population`;
    return { state: 'not_measured', detail };
  }
  if (session_count === 0)
    return { state: 'not_measured', detail: 'no session with tool calls was reported' };
  if (single_witness_count > 0) {
    const detail = `${single_witness_count} of ${counted(session_count, 'session')} not seen by both hooks and telemetry, so their calls have no second report to compare with`;
    return { state: 'not_measured', detail };
  }
  return { state: 'ok', detail: 'hooks and telemetry saw the same tool calls' };
}

function countUnnamed(assessment: Assessment): Query<{ readonly report_count: number }> {
  const conditions = [{ sql: UNNAMED_CALL_RECORDS, params: {} }, ...withinAssessment(assessment)];
  return {
    name: 'completeness.unnamed_calls',
    sql: `SELECT count() AS report_count
FROM records
${where(conditions)}`,
    params: paramsOf(conditions),
  };
}

/** S4: every call has a result or a refusal, and its reports agree on it. */
export async function measureDecisions(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const { limits } = scope;
  const calls = await store.read(countByReason(assessment), limits);
  const contradicting = calls.filter(({ code }) => Object.hasOwn(CONTRADICTIONS, code));
  const incomplete = await store.read(countByCode(assessment, COHERENCE), limits);
  const bad = total(incomplete) + total(contradicting);
  const rows = total(incomplete) === 0 ? [] : await store.read(listByCode(assessment, COHERENCE), limits);
  const contradictions =
    total(contradicting) === 0 ? [] : await store.read(listContradictions(assessment), limits);
  return {
    statistic: {
      id: 'S4',
      name: 'Decision coherence',
      state: bad === 0 ? 'ok' : 'failed',
      figures: [
        { name: 'tool calls', value: String(total(calls)) },
        ...[...incomplete, ...contradicting].map(toFigure),
      ],
      detail:
        bad === 0
          ? 'every tool call has a result or a refusal that its reports agree on'
          : `${counted(bad, 'place')} where the reports on a tool call do not fit together`,
    },
    findings: [
      ...rows.map((row) => toFinding(row, COHERENCE)),
      ...contradictions.map((row) => toFinding(row, CONTRADICTIONS)),
    ],
  };
}

function countByCode(assessment: Assessment, codes: object): Query<CodeCount> {
  const all = toolCallsMissingCounterpart({ ...askedOf(assessment), limit: ALL_ROWS });
  return {
    name: 'completeness.missing_counterparts',
    sql: `SELECT code, count() AS call_count
FROM
(
${all.sql}
)
WHERE code IN {codes: Array(String)}
GROUP BY code
ORDER BY code`,
    params: { ...all.params, codes: Object.keys(codes) },
  };
}

function listByCode(assessment: Assessment, codes: object): Query<MissingCounterpart> {
  const all = toolCallsMissingCounterpart({ ...askedOf(assessment), limit: ALL_ROWS });
  return {
    name: 'completeness.list_missing_counterparts',
    sql: `SELECT *
FROM
(
${all.sql}
)
WHERE code IN {codes: Array(String)}
LIMIT {listed: UInt32}`,
    params: { ...all.params, codes: Object.keys(codes), listed: LISTED_FINDINGS },
  };
}

/** All calls by the reason of their verdict; '' where there is none. One query, because planning it takes longer than reading. */
function countByReason(assessment: Assessment): Query<CodeCount> {
  const calls = selectCalls(askedOf(assessment));
  return {
    name: 'completeness.calls_by_reason',
    sql: `SELECT verdict.reason AS code, count() AS call_count
FROM
(
${calls.sql}
)
GROUP BY code
ORDER BY code`,
    params: calls.params,
  };
}

type CallFinding = Pick<MissingCounterpart, 'session_id' | 'tool_use_id' | 'seen_by'> & {
  readonly code: string;
};

function listContradictions(assessment: Assessment): Query<CallFinding> {
  const calls = selectCalls(askedOf(assessment));
  return {
    name: 'completeness.list_contradictions',
    sql: `SELECT verdict.reason AS code, session_id, tool_use_id, seen_by
FROM
(
${calls.sql}
)
WHERE code IN {codes: Array(String)}
ORDER BY first_position
LIMIT {listed: UInt32}`,
    params: { ...calls.params, codes: Object.keys(CONTRADICTIONS), listed: LISTED_FINDINGS },
  };
}

function toFinding(row: CallFinding, meanings: Readonly<Record<string, string>>): CompletenessFinding {
  return {
    code: row.code,
    session_id: row.session_id === '' ? null : row.session_id,
    tool_use_id: row.tool_use_id,
    source: row.seen_by.join(' '),
    detail: meanings[row.code] ?? row.code,
  };
}

function toFigure({ code, call_count }: CodeCount): { name: string; value: string } {
  return { name: code, value: String(call_count) };
}

function total(counts: readonly { readonly call_count: number }[]): number {
  return counts.reduce((sum, { call_count }) => sum + call_count, 0);
}
