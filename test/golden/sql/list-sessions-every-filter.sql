-- list_sessions
-- {"below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","claimed_user":"alice","after_started_at":"2026-01-01T00:00:00Z","after_session_id":"s1","limit":100}
SELECT
    session_id,
    min(received_at) AS started_at,
    max(received_at) AS last_seen_at,
    replaceRegexpOne(replaceOne(toString(min(occurred_at)), ' ', 'T'), '0{0,6}$', 'Z') AS first_occurred_at,
    replaceRegexpOne(replaceOne(toString(max(occurred_at)), ' ', 'T'), '0{0,6}$', 'Z') AS last_occurred_at,
    nullIf(argMinIf(records.claimed_user, (log, leaf_index), records.claimed_user != ''), '') AS claimed_user,
    arraySort(groupUniqArrayIf(records.claimed_user, records.claimed_user != '')) AS claimed_users,
    arraySort(groupUniqArrayIf(records.collector, records.collector != '')) AS collectors,
    arraySort(groupUniqArrayIf(records.model, records.model != '')) AS models,
    arraySort(groupUniqArrayIf(records.permission_mode, records.permission_mode != '')) AS permission_modes,
    arraySort(groupUniqArrayIf(records.source, records.source != '')) AS sources,
    count() AS record_count,
    uniqExactIf(tool_use_id, tool_use_id != '' AND type IN ('tool.requested', 'tool.completed', 'tool.failed', 'tool.reported', 'tool.decided', 'tool.measured', 'permission.denied')) AS tool_call_count,
    toBool(countIf(type = 'session.ended') > 0) AS ended,
    toBool(countIf(source != 'otel' OR type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed')) = 0) AS provisional
FROM records
WHERE session_id != ''
  AND leaf_index < {below: UInt64}
  AND session_id IN (SELECT session_id FROM records WHERE received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND claimed_user = {claimed_user: String})
GROUP BY session_id
HAVING (started_at, session_id) < (parseDateTime64BestEffort({after_started_at: String}, 3, 'UTC'), {after_session_id: String})
ORDER BY started_at DESC, session_id DESC
LIMIT {limit: UInt32}
