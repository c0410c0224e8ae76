-- leaves_by_index
-- {"log":"p0","indexes":[7]}
SELECT log, leaf_index, leaf_hash, id, leaf, facts, facts_secret, person, person_secret
FROM records
WHERE log = {log: String} AND leaf_index IN {indexes: Array(UInt64)}
ORDER BY log, leaf_index
