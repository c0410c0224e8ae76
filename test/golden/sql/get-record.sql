-- get_record
-- {"id":"x"}
SELECT log, leaf_index, leaf_hash, id, type, source, principal, subject, retention_class, received_at, integrated_at, facts, chain_hash, leaf, facts_salt, content, content_salt
FROM records
WHERE id = {id: String}
LIMIT 1
