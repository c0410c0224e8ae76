-- sessions_without_end
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT session_id, min(received_at) AS started_at, max(received_at) AS last_seen_at,
    arraySort(groupUniqArray(records.source)) AS sources
FROM records
WHERE session_id != ''
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND session_id IN (SELECT session_id FROM records WHERE received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC'))
GROUP BY session_id
HAVING countIf(type = 'session.ended') = 0 AND NOT (countIf(source != 'otel' OR type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed')) = 0)
ORDER BY started_at, session_id
LIMIT {limit: UInt32}
