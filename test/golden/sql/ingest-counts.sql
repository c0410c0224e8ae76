-- ingest_counts
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT
  sum(ifNull(dead_letter_count, 0)) AS dead_letter_count,
  sumIf(ifNull(last_number, 0) - ifNull(first_number, 0) + 1, type = 'event_log.gap' AND reason = 'missing') AS missing_count,
  countIf(type = 'event_log.gap' AND reason = 'forked') AS forked_count,
  countIf(type = 'event_log.replaced') AS replaced_count,
  countIf(type = 'generation.begun') AS begun_count
FROM records
WHERE type IN ('ingest.counted', 'event_log.gap', 'event_log.replaced', 'generation.begun')
  AND source = 'affidavit'
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND ifNull(parseDateTime64BestEffortOrNull(missing_since, 3, 'UTC'), toDateTime64(0, 3, 'UTC')) < parseDateTime64BestEffort({to: String}, 3, 'UTC')
