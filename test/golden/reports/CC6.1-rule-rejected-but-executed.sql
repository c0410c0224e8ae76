-- exception.rejected-but-executed
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT session_id, tool_use_id, record_ids
FROM
(
-- select_calls
)
WHERE verdict.reason = 'rejected_but_executed'
ORDER BY first_position
LIMIT {limit: UInt32}
