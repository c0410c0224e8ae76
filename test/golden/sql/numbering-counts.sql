-- numbering_counts
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","session_id":"s1"}
SELECT uniqExactIf(collector, source IN ('hook', 'otel', 'gateway', 'transcript')) AS collector_count,
    uniqExactIf(collector, source IN ('hook', 'otel', 'gateway', 'transcript') AND collector_boot_id != '') AS numbering_count,
    (SELECT uniqExact(log) FROM records) AS log_count
FROM records
WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})
