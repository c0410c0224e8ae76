-- list_records
-- {"after_log":"p0","after_index":7,"log":"p0","below":1000,"type":["tool.requested"],"source":"hook","session_id":"s1","tool_use_id":"t1","prompt_id":"p1","request_id":"q1","claimed_user":"alice","collector":"laptop-1","tool_name":"Bash","decision":"accept","received_from":"2026-01-01T00:00:00Z","received_to":"2026-04-01T00:00:00Z","occurred_from":"2026-01-01T00:00:00Z","occurred_to":"2026-04-01T00:00:00Z","text":"some words","limit":100}
SELECT log, leaf_index, lower(hex(SHA256(concat(unhex('00'), concat('{"id":"', id, '","parts":[', if(content_digest = '', '', concat('{"digest":"', content_digest, '","name":"content"},')), '{"digest":"', facts_digest, '","name":"facts"}', if(person_digest = '', '', concat(',{"digest":"', person_digest, '","name":"person"}')), '],"principal":"', principal, '","received_at":"', replaceOne(toString(received_at), ' ', 'T'), 'Z","retention_class":"', retention_class, '","source":"', source, '","subject":', if(subject = '', 'null', concat('"', subject, '"')), ',"type":"', type, '","v":1}'))))) AS leaf_hash, id, type, source, principal, subject, retention_class, received_at, integrated_at, facts, person, content
FROM records
WHERE (log > {after_log: String} OR (log = {after_log: String} AND leaf_index > {after_index: UInt64}))
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND type IN {type: Array(String)}
  AND source = {source: String}
  AND session_id = {session_id: String}
  AND tool_use_id = {tool_use_id: String}
  AND prompt_id = {prompt_id: String}
  AND request_id = {request_id: String}
  AND claimed_user = {claimed_user: String}
  AND collector = {collector: String}
  AND tool_name = {tool_name: String}
  AND decision = {decision: String}
  AND received_at >= parseDateTime64BestEffort({received_from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({received_to: String}, 3, 'UTC')
  AND occurred_at >= parseDateTime64BestEffort({occurred_from: String}, 9, 'UTC')
  AND occurred_at < parseDateTime64BestEffort({occurred_to: String}, 9, 'UTC')
  AND hasAllTokens(content, {text: String})
ORDER BY log, leaf_index
LIMIT {limit: UInt32}
