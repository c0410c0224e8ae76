import { idsInLogOrder } from './record-ids.ts';
import { TOOL_CALL_TYPES, typeList } from './record-types.ts';
import { withNames } from './tuples.ts';

/**
 * The evidence of one call from all sources, as flags and lists per (session_id, tool_use_id). Each is a count or a
 * smallest value over all its records, so neither order of arrival nor repetition changes it.
 */
export const CALL_EVIDENCE = `
    session_id,
    tool_use_id,
    argMinIf(tool_name, (tool_name = 'mcp_tool', source != 'hook', tool_name), tool_name != '') AS tool_name,
    countIf(type = 'tool.requested' AND source = 'hook') > 0 AS requested,
    countIf(type = 'tool.completed' OR (type = 'tool.measured' AND success)) > 0 AS succeeded,
    countIf(type = 'tool.failed' OR (type = 'tool.measured' AND NOT success)) > 0 AS failed,
    countIf(type = 'tool.decided' AND decision = 'accept') > 0 AS accepted,
    countIf(type = 'tool.decided' AND decision = 'reject') > 0 AS rejected,
    countIf(type = 'permission.denied') > 0 AS classified,
    countIf(type = 'tool.reported') > 0 AS reported,
    countIf(type = 'tool.reported' AND source = 'hook') > 0 AS hook_reported,
    countIf(type = 'tool.reported' AND told = 'executed') > 0 AS told_executed,
    countIf(type = 'tool.reported' AND source != 'hook' AND success = false) > 0 AS told_error,
    countIf(type = 'tool.reported' AND source != 'hook' AND told = 'failed') > 0 AS shown_failed,
    countIf(type = 'tool.reported' AND told = 'denied') > 0 AS told_denied,
    countIf(type = 'tool.reported' AND told = 'unavailable') > 0 AS told_unavailable,
    countIf(type = 'tool.reported' AND told = 'failed') > 0 AS told_failed,
    ${deciderOf(`type IN ('tool.decided', 'tool.reported') AND decision = 'accept'`)} AS accepted_by,
    ${deciderOf(`type = 'tool.decided' AND decision = 'reject'`)} AS rejected_by,
    ${deciderOf(`type = 'tool.reported' AND told = 'denied'`)} AS told_denied_by,
    countIf(source = 'hook' AND type IN ('tool.requested', 'tool.completed', 'tool.failed')) > 0 AS hook_followed,
    countIf(source = 'hook' AND type IN ('tool.completed', 'tool.failed')) > 0 AS hook_ended,
    countIf(source = 'hook' AND type = 'tool.requested') > 0 AS hook_requested,
    countIf(source = 'otel' AND type = 'tool.decided') > 0 AS otel_decided,
    countIf(source = 'otel' AND type = 'tool.measured') > 0 AS otel_measured,
    arraySort(groupUniqArrayIf(source, source IN ('hook', 'otel', 'gateway', 'transcript'))) AS seen_by,
    min(occurred_at) AS first_occurred_at,
    min(received_at) AS first_received_at,
    min((log, leaf_index)) AS first_position,
    ${idsInLogOrder({ position: '(log, leaf_index)' })} AS record_ids`;

const REPORTS_CALL = `source IN ('hook', 'otel', 'gateway', 'transcript') AND type IN (${typeList(TOOL_CALL_TYPES)})`;

/** Records that are evidence of a call. A native record may claim any type, so it is left out. */
export const CALL_RECORDS = `tool_use_id != '' AND ${REPORTS_CALL}`;

/** Reports of a call without its id or its session: they cannot be compared with those of another source. */
export const UNNAMED_CALL_RECORDS = `(tool_use_id = '' OR session_id = '') AND ${REPORTS_CALL}`;

/** The decider by the spelling of `decision_source`: a rule, a hook, the classifier, or the person at the keyboard. */
function deciderOf(condition: string): string {
  return `minIf(multiIf(decision_source IN ('config', 'rule'), 'rule', decision_source = 'hook', 'hook', decision_source = 'classifier', 'classifier', startsWith(decision_source, 'user'), 'user', ''), ${condition} AND decision_source != '')`;
}

/**
 * Outcome, decider ('' where it is unknown) and reason ('' where there is none) as one tuple. First match wins;
 * docs/formats/tool-call.md states the same rules in words.
 */
export const CALL_VERDICT = withNames(
  `multiIf(
        succeeded AND (failed OR told_error), ('unresolved', '', 'conflicting_results'),
        failed AND told_executed, ('unresolved', '', 'conflicting_results'),
        succeeded AND (rejected OR classified), ('executed', accepted_by, 'rejected_but_executed'),
        failed AND (rejected OR classified), ('failed', accepted_by, 'rejected_but_executed'),
        succeeded, ('executed', accepted_by, ''),
        failed, ('failed', accepted_by, ''),
        told_executed AND (rejected OR classified), ('executed', accepted_by, 'rejected_but_executed'),
        accepted AND rejected, ('unresolved', '', 'conflicting_decisions'),
        classified AND rejected_by IN ('', 'rule'), ('denied', 'classifier', ''),
        rejected OR classified, ('denied', rejected_by, ''),
        toUInt8(told_executed) + told_denied + told_unavailable + told_failed > 1, ('unresolved', '', 'conflicting_reports'),
        told_executed, ('executed', accepted_by, ''),
        told_denied AND accepted, ('unresolved', '', 'accepted_but_told_denied'),
        told_denied, ('denied', told_denied_by, ''),
        shown_failed, ('failed', accepted_by, ''),
        accepted, ('unresolved', '', 'accepted_no_result_seen'),
        requested, ('unresolved', '', 'no_result_seen'),
        told_unavailable, ('unavailable', '', ''),
        told_failed, ('failed', '', ''),
        hook_reported, ('unresolved', '', 'refused_before_running'),
        reported, ('unresolved', '', 'report_not_recognised'),
        ('unresolved', '', 'no_result_seen'))`,
  { outcome: 'String', decided_by: 'String', reason: 'String' },
);
