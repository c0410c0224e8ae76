-- population.sessions
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","after_session_id":"","limit":100}
SELECT session_id,
  min(received_at) AS first_received_at,
  max(received_at) AS last_received_at,
  arraySort(groupUniqArrayIf(claimed_user, claimed_user != '')) AS claimed_users,
  arraySort(groupUniqArrayIf(toString(claimed_user_source), claimed_user_source != '')) AS claimed_user_sources,
  arraySort(groupUniqArray(toString(collector))) AS collectors,
  arraySort(groupUniqArray(toString(source))) AS sources,
  arraySort(groupUniqArrayIf(toString(permission_mode), permission_mode != '')) AS permission_modes,
  countIf(type = 'session.started') > 0 AS start_seen,
  countIf(type = 'session.ended') > 0 AS end_seen,
  uniqExactIf(tool_use_id, tool_use_id != '') AS tool_call_count,
  count() AS record_count,
  arrayDistinct(arrayConcat([argMin(id, leaf_index), argMax(id, leaf_index)],
    arrayMap(entry -> entry.id, arraySort(groupUniqArrayIf(CAST((leaf_index, id), 'Tuple(leaf_index UInt64, id String)'), type IN ('session.started', 'session.ended')))))) AS record_ids
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND session_id != ''
  AND (session_id) > ({after_session_id:String})
GROUP BY session_id
ORDER BY session_id
LIMIT {limit:UInt32}
