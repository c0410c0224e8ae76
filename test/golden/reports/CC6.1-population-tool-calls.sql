-- population.tool-calls
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT
    tool_use_id,
    session_id,
    tool_name,
    verdict.outcome AS outcome,
    nullIf(verdict.decided_by, '') AS decided_by,
    nullIf(verdict.reason, '') AS reason,
    seen_by,
    replaceRegexpOne(replaceOne(toString(first_occurred_at), ' ', 'T'), '0{0,6}$', 'Z') AS occurred_at,
    record_ids
FROM
(
-- select_calls
)
ORDER BY first_position
LIMIT {limit: UInt32}
