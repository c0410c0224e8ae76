-- population.forge-merges
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","next_index":0,"limit":100}
SELECT leaf_index, received_at, type, source, source_event, repository, change_id, git_commit_id, claimed_user, target_user, decision, reason, [id] AS record_ids
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND type = 'change.merged' AND source = 'forge'
  AND leaf_index >= {next_index:UInt64}
ORDER BY leaf_index
LIMIT {limit:UInt32}
