-- exception.merge-without-independent-approval
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT session_id, tool_use_id, [id] AS record_ids
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND type = 'change.merged' AND change_id NOT IN (
    SELECT change_id
    FROM records
    WHERE log = {log:String} AND leaf_index < {tree_size:UInt64}
      AND type = 'change.reviewed' AND decision = 'approved'
      AND claimed_user != '' AND target_user != '' AND claimed_user != target_user
  )
ORDER BY leaf_index
LIMIT {limit:UInt32}
