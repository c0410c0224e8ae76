-- quarantine_counts
-- {"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","log":"p0","below":1000}
SELECT quarantine_reason, source_event, count() AS item_count
FROM records
WHERE type = 'quarantined'
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
GROUP BY quarantine_reason, source_event
ORDER BY quarantine_reason, source_event
