-- exception.no-resolvable-person
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT session_id, '' AS tool_use_id,
  arrayDistinct([argMin(id, leaf_index), argMax(id, leaf_index)]) AS record_ids
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND session_id != ''
  AND (startsWith(type, 'tool.') OR startsWith(type, 'model.'))
  AND session_id NOT IN (
    SELECT session_id FROM records
    WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
      AND claimed_user != '' AND claimed_user_source NOT IN ('', 'user.id')
  )
GROUP BY session_id
ORDER BY session_id
LIMIT {limit:UInt32}
