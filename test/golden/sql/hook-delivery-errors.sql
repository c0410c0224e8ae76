-- hook_delivery_errors
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT log, leaf_index, id, session_id, hook_event, hook_source, hook_error_count,
    replaceRegexpOne(replaceOne(toString(records.occurred_at), ' ', 'T'), '0{0,6}$', 'Z') AS occurred_at, received_at
FROM records
WHERE type = 'hook.executed' AND hook_error_count > 0
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
ORDER BY log, leaf_index
LIMIT {limit: UInt32}
