-- exception.checks-skipped
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT session_id, tool_use_id, arrayMap(entry -> entry.id, arraySort(groupUniqArrayIf(CAST((leaf_index, id), 'Tuple(leaf_index UInt64, id String)'), true))) AS record_ids
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND tool_name = 'Bash' AND content LIKE '%--no-veri%'
  AND match(concat(JSONExtractString(content, 'tool_input', 'command'), JSONExtractString(JSONExtractString(content, 'attributes', 'tool_parameters'), 'full_command')), '\\bgit\\b([^;&|"\'\\\\]|\\\\.|"([^"\\\\]|\\\\.)*"|\'[^\']*\')*\\s["\']?--no-veri(fy?)?["\']?([\\s;&|)]|$)')
GROUP BY session_id, tool_use_id
ORDER BY session_id, tool_use_id
LIMIT {limit:UInt32}
