-- source_counts
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT session_id, source, count() AS record_count,
    min(received_at) AS first_received_at, max(received_at) AS last_received_at
FROM records
WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
GROUP BY session_id, source
ORDER BY session_id, source
