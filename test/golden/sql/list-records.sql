-- list_records
-- {"limit":100}
SELECT log, leaf_index, leaf_hash, id, type, source, principal, subject, retention_class, received_at, integrated_at, facts
FROM records
ORDER BY log, leaf_index
LIMIT {limit: UInt32}
