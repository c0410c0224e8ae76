-- list_quarantine
-- {"after_log":"p0","after_index":7,"limit":100}
SELECT log, leaf_index, id, received_at, integrated_at, collector, source_event, quarantine_reason,
    quarantine_pointer, body_sha256, input_size_bytes
FROM records
WHERE type = 'quarantined'
  AND (log > {after_log: String} OR (log = {after_log: String} AND leaf_index > {after_index: UInt64}))
ORDER BY log, leaf_index
LIMIT {limit: UInt32}
