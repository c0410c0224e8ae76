-- clock_skew
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT source, count() AS record_count, count(delay_ms) AS clocked_count,
    minOrNull(delay_ms) AS delay_ms_min, quantileExactOrNull(0.5)(delay_ms) AS delay_ms_p50, quantileExactOrNull(0.95)(delay_ms) AS delay_ms_p95,
    quantileExactOrNull(0.99)(delay_ms) AS delay_ms_p99, maxOrNull(delay_ms) AS delay_ms_max,
    countIf(delay_ms < 0) AS ahead_count, countIf(delay_ms < -5000) AS far_ahead_count
FROM
(
    SELECT source, dateDiff('millisecond', occurred_at, received_at) AS delay_ms
    FROM records
    WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
)
GROUP BY source
ORDER BY source
