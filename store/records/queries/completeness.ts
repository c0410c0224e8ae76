import { SECRET_TYPES } from '../../../schemas/data-class.ts';
import { OWN_COLLECTOR } from '../../../schemas/native-event.ts';
import type { Query } from '../record-store.ts';
import { equals, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { instantText, receivedWithin, type Interval } from './instants.ts';
import { STARTUP_TYPES, typeList } from './record-types.ts';
import { coveredBy, type Covered, type RecordPosition } from './records.ts';
import { PROVISIONAL_SESSION, sessionsSeen } from './sessions.ts';
import { selectCalls } from './tool-calls.ts';

/** The scope of a query about completeness: a period on received_at, a session, a checkpoint. */
export interface CompletenessScope extends Interval, Covered {
  readonly session_id?: string | undefined;
}

/** Closed list; docs/formats/completeness.md explains each. */
export type CounterpartCode =
  | 'hook_call_without_otel'
  | 'otel_call_without_hook'
  | 'call_without_gateway'
  | 'call_without_transcript'
  | 'gateway_call_without_hook'
  | 'transcript_call_without_hook'
  | 'result_without_decision'
  | 'decision_without_result'
  | 'result_without_request'
  | 'request_without_result';

/** A call that one source reported and that another source, present in the same session, should have reported too. */
export interface MissingCounterpart {
  readonly code: CounterpartCode;
  readonly session_id: string;
  readonly tool_use_id: string;
  readonly tool_name: string;
  readonly outcome: string;
  readonly seen_by: readonly string[];
  readonly record_ids: readonly string[];
}

/**
 * A source is present in a session once it reports more than its start there. A call that a present source did not
 * report is missing there. A refusal before any decision reaches only the batch report, so a call that only the batch
 * report shows lacks nothing.
 */
const FINDINGS = `arrayFilter(code -> code != '', [
        if(hook_followed AND otel_present AND NOT has(seen_by, 'otel'), 'hook_call_without_otel', ''),
        if(has(seen_by, 'otel') AND hook_present AND NOT has(seen_by, 'hook'), 'otel_call_without_hook', ''),
        if(gateway_present AND NOT has(seen_by, 'gateway'), 'call_without_gateway', ''),
        if(transcript_present AND NOT has(seen_by, 'transcript'), 'call_without_transcript', ''),
        if(has(seen_by, 'gateway') AND hook_present AND NOT has(seen_by, 'hook'), 'gateway_call_without_hook', ''),
        if(has(seen_by, 'transcript') AND hook_present AND NOT has(seen_by, 'hook'), 'transcript_call_without_hook', ''),
        if(otel_measured AND NOT otel_decided, 'result_without_decision', ''),
        if(accepted AND NOT (succeeded OR failed OR told_executed OR shown_failed), 'decision_without_result', ''),
        if(hook_ended AND NOT hook_requested, 'result_without_request', ''),
        if(hook_requested AND NOT accepted AND NOT (succeeded OR failed OR reported OR rejected OR classified), 'request_without_result', '')
    ])`;

/** Calls that began in the period and lack a counterpart, one row per finding, by place in the log. */
export function toolCallsMissingCounterpart(
  params: CompletenessScope & { readonly limit: number },
): Query<MissingCounterpart> {
  const calls = selectCalls(params);
  const size = coveredBy(params);
  return {
    name: 'tool_calls_missing_counterpart',
    sql: tidy(`
SELECT code, session_id, tool_use_id, tool_name, verdict.outcome AS outcome, seen_by, record_ids
FROM
(
SELECT *,
    session_id IN (${sessionsWith('otel', size)}) AS otel_present,
    session_id IN (${sessionsWith('hook', size)}) AS hook_present,
    session_id IN (${sessionsWith('gateway', size)}) AS gateway_present,
    session_id IN (${sessionsWith('transcript', size)}) AS transcript_present
FROM
(
${calls.sql}
)
)
ARRAY JOIN ${FINDINGS} AS code
ORDER BY first_position, code
LIMIT {limit: UInt32}`),
    params: { ...calls.params, ...paramsOf(size), limit: params.limit },
  };
}

/** Sessions in which a source reports prompts, calls or model requests, not only how it started or ended. */
function sessionsWith(
  source: 'hook' | 'otel' | 'gateway' | 'transcript',
  size: readonly Condition[],
): string {
  const marginal = [...STARTUP_TYPES, 'session.started', 'session.ended'];
  const conditions = [
    { sql: `source = '${source}' AND type NOT IN (${typeList(marginal)})`, params: {} },
    ...size,
  ];
  return `SELECT session_id FROM records ${where(conditions)}`;
}

/** The number of records of each source in each session of the period. */
export interface SourceCount {
  readonly session_id: string;
  readonly source: string;
  readonly record_count: number;
  readonly first_received_at: string;
  readonly last_received_at: string;
}

/** One row per session and source; records without a session have the session ''. */
export function sourceCounts(params: CompletenessScope): Query<SourceCount> {
  const conditions = inScope(params);
  return {
    name: 'source_counts',
    sql: tidy(`
SELECT session_id, source, count() AS record_count,
    min(received_at) AS first_received_at, max(received_at) AS last_received_at
FROM records
${where(conditions)}
GROUP BY session_id, source
ORDER BY session_id, source`),
    params: paramsOf(conditions),
  };
}

/** How long records took from the source's clock to ours, in milliseconds. Null where no record had both clocks. */
export interface ClockSkew {
  readonly source: string;
  readonly record_count: number;
  readonly clocked_count: number;
  readonly delay_ms_min: number | null;
  readonly delay_ms_p50: number | null;
  readonly delay_ms_p95: number | null;
  readonly delay_ms_p99: number | null;
  readonly delay_ms_max: number | null;
  /** Records that claim to have occurred after they were received. */
  readonly ahead_count: number;
  /** Records that claim so by more than five seconds, which no rounding explains. */
  readonly far_ahead_count: number;
}

/** Exact quantiles of received_at − occurred_at by source. */
export function clockSkew(params: CompletenessScope): Query<ClockSkew> {
  const conditions = inScope(params);
  const quantile = (level: string) => `quantileExactOrNull(${level})(delay_ms)`;
  return {
    name: 'clock_skew',
    sql: tidy(`
SELECT source, count() AS record_count, count(delay_ms) AS clocked_count,
    minOrNull(delay_ms) AS delay_ms_min, ${quantile('0.5')} AS delay_ms_p50, ${quantile('0.95')} AS delay_ms_p95,
    ${quantile('0.99')} AS delay_ms_p99, maxOrNull(delay_ms) AS delay_ms_max,
    countIf(delay_ms < 0) AS ahead_count, countIf(delay_ms < -5000) AS far_ahead_count
FROM
(
    SELECT source, dateDiff('millisecond', occurred_at, received_at) AS delay_ms
    FROM records
    ${where(conditions)}
)
GROUP BY source
ORDER BY source`),
    params: paramsOf(conditions),
  };
}

/** How often the program found the clock of a log set back, and by how much at most. */
export interface ClockSteps {
  readonly step_count: number;
  readonly behind_ms_max: number;
}

/** One row. The program reports each step once, and once more after a restart while it lasts. */
export function clockSteps(params: CompletenessScope): Query<ClockSteps> {
  const conditions = [
    {
      sql: `type = 'clock.stepped' AND collector = {own_collector: String}`,
      params: { own_collector: OWN_COLLECTOR },
    },
    ...inScope(params),
  ];
  return {
    name: 'clock_steps',
    sql: tidy(`
SELECT count() AS step_count, max(ifNull(duration_ms, 0)) AS behind_ms_max
FROM records
${where(conditions)}`),
    params: paramsOf(conditions),
  };
}

/** A session with records in the period and without a reported end. It may still be running. */
export interface UnendedSession {
  readonly session_id: string;
  readonly started_at: string;
  readonly last_seen_at: string;
  readonly sources: readonly string[];
}

/** Sessions without an end record. Provisional sessions never have one and are left out. */
export function sessionsWithoutEnd(
  params: CompletenessScope & { readonly limit: number },
): Query<UnendedSession> {
  const conditions = [{ sql: `session_id != ''`, params: {} }, ...coveredBy(params), ...sessionsSeen(params)];
  return {
    name: 'sessions_without_end',
    sql: tidy(`
SELECT session_id, min(received_at) AS started_at, max(received_at) AS last_seen_at,
    arraySort(groupUniqArray(records.source)) AS sources
FROM records
${where(conditions)}
GROUP BY session_id
HAVING countIf(type = 'session.ended') = 0 AND NOT (${PROVISIONAL_SESSION})
ORDER BY started_at, session_id
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(conditions), limit: params.limit },
  };
}

/** A hook run of the client in which a hook failed without stopping the client. An audit hook may have missed the event. */
export interface HookDeliveryError extends RecordPosition {
  readonly id: string;
  readonly session_id: string;
  readonly hook_event: string;
  readonly hook_source: string;
  readonly hook_error_count: number;
  readonly occurred_at: string | null;
  readonly received_at: string;
}

/** Failed hook runs that telemetry reports, in the order of the log. */
export function hookDeliveryErrors(
  params: CompletenessScope & { readonly limit: number },
): Query<HookDeliveryError> {
  const conditions = [
    { sql: `type = 'hook.executed' AND hook_error_count > 0`, params: {} },
    ...inScope(params),
  ];
  return {
    name: 'hook_delivery_errors',
    sql: tidy(`
SELECT log, leaf_index, id, session_id, hook_event, hook_source, hook_error_count,
    ${instantText('records.occurred_at')} AS occurred_at, received_at
FROM records
${where(conditions)}
ORDER BY log, leaf_index
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(conditions), limit: params.limit },
  };
}

/** How many records of the period had secrets replaced before they were kept; one row. */
export function redactedCount(params: CompletenessScope): Query<{ readonly record_count: number }> {
  const conditions = [
    {
      sql: 'hasAny(data_classes, {secret_types: Array(String)})',
      params: { secret_types: [...SECRET_TYPES] },
    },
    ...inScope(params),
  ];
  return {
    name: 'redacted_count',
    sql: tidy(`
SELECT count() AS record_count
FROM records
${where(conditions)}`),
    params: paramsOf(conditions),
  };
}

export function inScope(params: CompletenessScope): Condition[] {
  return [...coveredBy(params), ...equals('session_id', params.session_id), ...receivedWithin(params)];
}
