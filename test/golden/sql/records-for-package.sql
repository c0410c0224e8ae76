-- records_for_package
-- {"ids":["x"],"log":"p0"}
SELECT log, leaf_index, leaf_hash, id, leaf, facts, facts_salt
FROM records
WHERE log = {log: String} AND id IN {ids: Array(String)}
ORDER BY log, leaf_index
