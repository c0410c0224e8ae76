-- exception.approval-before-last-push
-- {"log":"p0","below":1000,"state":"approved_before_last_push","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT
    if(length(session_ids) = 1, session_ids[1], '') AS session_id,
    if(length(tool_use_ids) = 1, tool_use_ids[1], '') AS tool_use_id,
    record_ids
FROM
(
-- select_changes
)
WHERE state = {state: String}
  AND if(decisive.merge_received_at > toDateTime64(0, 3, 'UTC'), decisive.merge_received_at, first_received_at) >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND if(decisive.merge_received_at > toDateTime64(0, 3, 'UTC'), decisive.merge_received_at, first_received_at) < parseDateTime64BestEffort({to: String}, 3, 'UTC')
ORDER BY first_position
LIMIT {limit: UInt32}
