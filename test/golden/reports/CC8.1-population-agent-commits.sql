-- population.agent-commits
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","after_git_commit_id":"","limit":100}
SELECT git_commit_id,
  arraySort(groupUniqArrayIf(session_id, session_id != '')) AS session_ids,
  arraySort(groupUniqArrayIf(tool_use_id, tool_use_id != '')) AS tool_use_ids,
  min(received_at) AS first_received_at,
  arraySort(groupUniqArrayIf(claimed_user, claimed_user != '')) AS claimed_users,
  arrayMap(entry -> entry.id, arraySort(groupUniqArrayIf(CAST((leaf_index, id), 'Tuple(leaf_index UInt64, id String)'), true))) AS record_ids
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND git_commit_id != '' AND source != 'forge'
  AND (git_commit_id) > ({after_git_commit_id:String})
GROUP BY git_commit_id
ORDER BY git_commit_id
LIMIT {limit:UInt32}
