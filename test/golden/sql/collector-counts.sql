-- collector_counts
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","session_id":"s1"}
SELECT count() AS collector_count, countIf(has_numbers) AS numbering_count, countIf(has_beats) AS timed_count,
    (SELECT uniqExact(log) FROM records) AS log_count
FROM
(
    SELECT collector, countIf(collector_boot_id != '') > 0 AS has_numbers, countIf(type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer') > 0 AS has_beats
    FROM records
    WHERE (source IN ('hook', 'otel', 'gateway', 'transcript') OR type = 'collector.heartbeat')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})
    GROUP BY collector
)
