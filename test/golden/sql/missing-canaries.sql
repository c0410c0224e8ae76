-- missing_canaries
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","session_id":"s1","limit":100}
SELECT session_id, through, announced_at
FROM
(
    SELECT session_id, through, announced_at,
        (session_id, through) IN (SELECT session_id, toString(source) FROM records WHERE synthetic = true
  AND log = {log: String}
  AND leaf_index < {below: UInt64}) AS is_found
    FROM
    (
        SELECT session_id, reason AS through, min(received_at) AS announced_at
        FROM records
        WHERE type = 'canary.sent'
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})
        GROUP BY session_id, through
    )
)
WHERE NOT is_found
ORDER BY announced_at, session_id, through
LIMIT {limit: UInt32}
