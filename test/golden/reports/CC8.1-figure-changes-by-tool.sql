-- figure.changes-by-tool
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT concat('executed calls of ', tool_name) AS name, toString(uniqExact((session_id, tool_use_id))) AS value
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND tool_use_id != '' AND tool_name IN ('Write', 'Edit', 'MultiEdit', 'NotebookEdit') AND (type = 'tool.completed' OR (type = 'tool.measured' AND success = true))
GROUP BY name
ORDER BY name
