-- canary_counts
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","session_id":"s1"}
SELECT through, count() AS told_count, countIf(is_found) AS found_count
FROM
(
    SELECT session_id, through, told_at,
        (session_id, through) IN (SELECT session_id, toString(source) FROM records WHERE synthetic = true
  AND log = {log: String}
  AND leaf_index < {below: UInt64}) AS is_found
    FROM
    (
        SELECT session_id, reason AS through, min(received_at) AS told_at
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
GROUP BY through
ORDER BY through
