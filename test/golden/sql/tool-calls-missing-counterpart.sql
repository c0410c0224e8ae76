-- tool_calls_missing_counterpart
-- {"session_id":"s1","log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT code, session_id, tool_use_id, tool_name, verdict.outcome AS outcome, seen_by, record_ids
FROM
(
SELECT *,
    session_id IN (SELECT session_id FROM records WHERE source = 'otel' AND type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed', 'session.started', 'session.ended')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}) AS otel_present,
    session_id IN (SELECT session_id FROM records WHERE source = 'hook' AND type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed', 'session.started', 'session.ended')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}) AS hook_present,
    session_id IN (SELECT session_id FROM records WHERE source = 'gateway' AND type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed', 'session.started', 'session.ended')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}) AS gateway_present,
    session_id IN (SELECT session_id FROM records WHERE source = 'transcript' AND type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed', 'session.started', 'session.ended')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}) AS transcript_present
FROM
(
-- select_calls
)
)
ARRAY JOIN arrayFilter(code -> code != '', [
        if(hook_followed AND otel_present AND NOT has(seen_by, 'otel'), 'hook_call_without_otel', ''),
        if(has(seen_by, 'otel') AND hook_present AND NOT has(seen_by, 'hook'), 'otel_call_without_hook', ''),
        if(gateway_present AND NOT has(seen_by, 'gateway'), 'call_without_gateway', ''),
        if(transcript_present AND NOT has(seen_by, 'transcript'), 'call_without_transcript', ''),
        if(has(seen_by, 'gateway') AND hook_present AND NOT has(seen_by, 'hook'), 'gateway_call_without_hook', ''),
        if(has(seen_by, 'transcript') AND hook_present AND NOT has(seen_by, 'hook'), 'transcript_call_without_hook', ''),
        if(otel_measured AND NOT otel_decided, 'result_without_decision', ''),
        if(accepted AND NOT (succeeded OR failed OR told_executed OR shown_failed), 'decision_without_result', ''),
        if(hook_ended AND NOT hook_requested, 'result_without_request', ''),
        if(hook_requested AND NOT accepted AND NOT (succeeded OR failed OR reported OR rejected OR classified), 'request_without_result', '')
    ]) AS code
ORDER BY first_position, code
LIMIT {limit: UInt32}
