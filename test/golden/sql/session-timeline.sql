-- session_timeline
-- {"session_id":"s1","after_at":"2026-01-01T00:00:00Z","after_log":"p0","after_index":7,"limit":100}
SELECT replaceRegexpOne(replaceOne(toString(coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC'))), ' ', 'T'), '0{0,6}$', 'Z') AS ordered_at, log, leaf_index, lower(hex(SHA256(concat(unhex('00'), concat('{"id":"', id, '","parts":[', if(content_digest = '', '', concat('{"digest":"', content_digest, '","name":"content"},')), '{"digest":"', facts_digest, '","name":"facts"}', if(person_digest = '', '', concat(',{"digest":"', person_digest, '","name":"person"}')), '],"principal":"', principal, '","received_at":"', replaceOne(toString(received_at), ' ', 'T'), 'Z","retention_class":"', retention_class, '","source":"', source, '","subject":', if(subject = '', 'null', concat('"', subject, '"')), ',"type":"', type, '","v":1}'))))) AS leaf_hash, id, type, source, principal, subject,
    retention_class, received_at, integrated_at, facts, person
FROM records
WHERE session_id = {session_id: String}
  AND (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), log, leaf_index) > (parseDateTime64BestEffort({after_at: String}, 9, 'UTC'), {after_log: String}, {after_index: UInt64})
ORDER BY coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), log, leaf_index
LIMIT {limit: UInt32}
