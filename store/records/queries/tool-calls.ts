import type { ToolCall, ToolCallOutcome } from '../../../schemas/tool-call.ts';
import type { Query } from '../record-store.ts';
import { equals, given, having, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { instantText, receivedWithin, within, type Interval } from './instants.ts';
import { coveredBy, type Covered } from './records.ts';
import { CALL_EVIDENCE, CALL_RECORDS, CALL_VERDICT } from './tool-call-verdict.ts';

/** The last call of a page. A call is placed by its first record in the log, which never changes. */
export interface ToolCallPosition {
  readonly session_id: string;
  readonly tool_use_id: string;
}

/** The scope of a query about calls: a period, a session, a checkpoint. */
export interface CallScope extends Interval, Covered {
  readonly session_id?: string | undefined;
}

/**
 * Tool calls with their derived outcome, by the place of their first record, from behind `after`. A call belongs to
 * the period in which its first record was received, so each call is in one period. All its records judge it.
 */
export function listToolCalls(
  params: CallScope & {
    readonly outcome?: ToolCallOutcome | undefined;
    readonly after?: ToolCallPosition | undefined;
    readonly limit: number;
  },
): Query<ToolCall> {
  const calls = selectCalls(params);
  const outcome = given<string>(params.outcome, (text) => ({
    sql: 'verdict.outcome = {outcome: String}',
    params: { outcome: text },
  }));
  return {
    name: 'list_tool_calls',
    sql: tidy(`
SELECT
    tool_use_id,
    session_id,
    tool_name,
    verdict.outcome AS outcome,
    nullIf(verdict.decided_by, '') AS decided_by,
    nullIf(verdict.reason, '') AS reason,
    seen_by,
    ${instantText('first_occurred_at')} AS occurred_at,
    record_ids
FROM
(
${calls.sql}
)
${where(outcome)}
ORDER BY first_position
LIMIT {limit: UInt32}`),
    params: { ...calls.params, ...paramsOf(outcome), limit: params.limit },
  };
}

/** The number of calls of each outcome. A call belongs to the same period as in lists. */
export function countToolCalls(
  params: CallScope,
): Query<{ readonly outcome: ToolCallOutcome; readonly call_count: number }> {
  const calls = selectCalls(params);
  return {
    name: 'count_tool_calls',
    sql: tidy(`
SELECT verdict.outcome AS outcome, count() AS call_count
FROM
(
${calls.sql}
)
GROUP BY outcome
ORDER BY outcome`),
    params: calls.params,
  };
}

/** One row per call: its evidence and its verdict. Other queries build on it. */
export function selectCalls(
  params: CallScope & { readonly after?: ToolCallPosition | undefined },
): Condition {
  const { from, to } = params;
  const scope = [...equals('session_id', params.session_id), ...coveredBy(params)];
  const period = within('first_received_at', { from, to }, { prefix: '', digits: 3 });
  const candidates = receivedWithin({ from, to }).length === 0 ? [] : [touchedWithin({ from, to })];
  const position = params.after === undefined ? [] : [afterCall(params.after)];
  return {
    sql: `SELECT *, ${CALL_VERDICT} AS verdict
FROM
(
SELECT ${CALL_EVIDENCE}
FROM records
${where([{ sql: CALL_RECORDS, params: {} }, ...scope, ...candidates])}
GROUP BY session_id, tool_use_id
${having([...period, ...position])}
)`,
    params: paramsOf(scope, period, candidates, position),
  };
}

/** A call that began in the period has a record in it, so the engine need not group the others. */
function touchedWithin(interval: Interval): Condition {
  const inner = [{ sql: CALL_RECORDS, params: {} }, ...receivedWithin(interval)];
  return {
    sql: `(session_id, tool_use_id) IN (SELECT session_id, tool_use_id FROM records ${where(inner)})`,
    params: paramsOf(inner),
  };
}

function afterCall(after: ToolCallPosition): Condition {
  return {
    sql: `first_position > (
    SELECT min((log, leaf_index))
    FROM records
    WHERE session_id = {after_session_id: String} AND tool_use_id = {after_tool_use_id: String} AND ${CALL_RECORDS}
)`,
    params: { after_session_id: after.session_id, after_tool_use_id: after.tool_use_id },
  };
}
