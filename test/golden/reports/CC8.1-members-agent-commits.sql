-- members.agent-commits
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","from_index":0,"to_index":100}
SELECT leaf_index
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND leaf_index >= {from_index:UInt64} AND leaf_index < {to_index:UInt64}
  AND git_commit_id != '' AND source != 'forge'
