-- select_calls
-- {"session_id":"s1","log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","after_session_id":"s1","after_tool_use_id":"t1"}
SELECT *, CAST(multiIf(
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
        ('unresolved', '', 'no_result_seen')), 'Tuple(outcome String, decided_by String, reason String)') AS verdict
FROM
(
SELECT 
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
    minIf(multiIf(decision_source IN ('config', 'rule'), 'rule', decision_source = 'hook', 'hook', decision_source = 'classifier', 'classifier', startsWith(decision_source, 'user'), 'user', ''), type IN ('tool.decided', 'tool.reported') AND decision = 'accept' AND decision_source != '') AS accepted_by,
    minIf(multiIf(decision_source IN ('config', 'rule'), 'rule', decision_source = 'hook', 'hook', decision_source = 'classifier', 'classifier', startsWith(decision_source, 'user'), 'user', ''), type = 'tool.decided' AND decision = 'reject' AND decision_source != '') AS rejected_by,
    minIf(multiIf(decision_source IN ('config', 'rule'), 'rule', decision_source = 'hook', 'hook', decision_source = 'classifier', 'classifier', startsWith(decision_source, 'user'), 'user', ''), type = 'tool.reported' AND told = 'denied' AND decision_source != '') AS told_denied_by,
    countIf(source = 'hook' AND type IN ('tool.requested', 'tool.completed', 'tool.failed')) > 0 AS hook_followed,
    countIf(source = 'hook' AND type IN ('tool.completed', 'tool.failed')) > 0 AS hook_ended,
    countIf(source = 'hook' AND type = 'tool.requested') > 0 AS hook_requested,
    countIf(source = 'otel' AND type = 'tool.decided') > 0 AS otel_decided,
    countIf(source = 'otel' AND type = 'tool.measured') > 0 AS otel_measured,
    arraySort(groupUniqArrayIf(source, source IN ('hook', 'otel', 'gateway', 'transcript'))) AS seen_by,
    min(occurred_at) AS first_occurred_at,
    min(received_at) AS first_received_at,
    min((log, leaf_index)) AS first_position,
    arrayMap(entry -> entry.id, arraySort(groupArray(CAST(((log, leaf_index), id), 'Tuple(position Tuple(log LowCardinality(String), leaf_index UInt64), id String)')))) AS record_ids
FROM records
WHERE tool_use_id != '' AND source IN ('hook', 'otel', 'gateway', 'transcript') AND type IN ('tool.requested', 'tool.completed', 'tool.failed', 'tool.reported', 'tool.decided', 'tool.measured', 'permission.denied')
  AND session_id = {session_id: String}
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND (session_id, tool_use_id) IN (SELECT session_id, tool_use_id FROM records WHERE tool_use_id != '' AND source IN ('hook', 'otel', 'gateway', 'transcript') AND type IN ('tool.requested', 'tool.completed', 'tool.failed', 'tool.reported', 'tool.decided', 'tool.measured', 'permission.denied')
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC'))
GROUP BY session_id, tool_use_id
HAVING first_received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND first_received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND first_position > (
    SELECT min((log, leaf_index))
    FROM records
    WHERE session_id = {after_session_id: String} AND tool_use_id = {after_tool_use_id: String} AND tool_use_id != '' AND source IN ('hook', 'otel', 'gateway', 'transcript') AND type IN ('tool.requested', 'tool.completed', 'tool.failed', 'tool.reported', 'tool.decided', 'tool.measured', 'permission.denied')
)
)
