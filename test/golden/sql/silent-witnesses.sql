-- silent_witnesses
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT session_id, arrayJoin(arrayFilter(name -> NOT has(seen_by, name), expected)) AS witness, seen_by
FROM
(
    SELECT session_id, arraySort(groupUniqArrayIf(toString(source), has(['hook', 'otel', 'gateway', 'transcript'], source))) AS seen_by,
        (
            SELECT arraySort(groupUniqArrayIf(toString(source), has(['hook', 'otel', 'gateway', 'transcript'], source)))
            FROM records
            WHERE session_id != ''
  AND tool_use_id != ''
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
        ) AS expected
    FROM records
    WHERE session_id != ''
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
    GROUP BY session_id
    HAVING countIf(tool_use_id != '') > 0
)
ORDER BY session_id, witness
LIMIT {limit: UInt32}
