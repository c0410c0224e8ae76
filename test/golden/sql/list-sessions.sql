-- list_sessions
-- {"limit":100}
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
GROUP BY session_id
ORDER BY started_at DESC, session_id DESC
LIMIT {limit: UInt32}
