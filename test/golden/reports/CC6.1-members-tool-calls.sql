-- members.tool-calls
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","from_index":0,"to_index":100}
SELECT leaf_index
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
  AND tool_use_id != '' AND source IN ('hook', 'otel', 'gateway', 'transcript') AND type IN ('tool.requested', 'tool.completed', 'tool.failed', 'tool.reported', 'tool.decided', 'tool.measured', 'permission.denied')
  AND (session_id, tool_use_id) IN (SELECT session_id, tool_use_id FROM
(
-- select_calls
))
