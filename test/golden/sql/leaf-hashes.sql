-- leaf_hashes
-- {"log":"p0","from_index":0,"to_index":256}
SELECT leaf_index, leaf_hash
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
ORDER BY log, leaf_index
