-- witness_counts
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT count() AS session_count,
    countIf(has(seen_by, 'hook')) AS hook_count, countIf(has(seen_by, 'otel')) AS otel_count,
    countIf(has(seen_by, 'gateway')) AS gateway_count, countIf(has(seen_by, 'transcript')) AS transcript_count
FROM
(
    SELECT session_id, groupUniqArray(toString(source)) AS seen_by
    FROM records
    WHERE session_id != ''
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
    GROUP BY session_id
    HAVING countIf(tool_use_id != '') > 0
)
