/**
 * Preset dictionary of frames (RFC 1951; the window of DEFLATE before the first byte). A frame holds the few records of
 * one person, so most of its bytes would be member names that no earlier line has shown. The text is part of the format:
 * another text is another format, and the genesis of a log names the digest of the text that it was begun with.
 * Longer or shorter matches change the size of a frame, never its meaning. Values are made up.
 */
import { sha256 } from './sha256.ts';

const CONTENT = [
  '{"answer_digests":[],"api_base":"http://127.0.0.1:4000/v1/messages","cache_hit":false,"call_type":"anthropic_messages","cost_breakdown":{"input_cost":"0.00","output_cost":"0.00","total_cost":"0.00"},"extensions":{"metadata":{"user_api_key_alias":null,"user_api_key_user_id":"default_user_id"}},"message":"","messages":[{"content":[{"text":"","type":"text"}],"role":"user"}]}',
  '{"attributes":{"ref":"refs/heads/main","repository":{"full_name":"acme/web"},"sender":{"login":"alice","type":"User"}},"action":"opened","pull_request":{"number":1,"title":"","body":"","state":"closed","merged":true,"head":{"sha":"","ref":""},"base":{"sha":"","ref":"main"},"user":{"login":""}}}',
  '{"line":{"apiBlockIndex":0,"cwd":"/home/","effort":"medium","entrypoint":"sdk-cli","gitBranch":"main","isSidechain":false,"madeBy":"model","message":{"content":[{"text":"","type":"text"}],"id":"msg_","model":"claude-opus-","role":"assistant","stop_details":null,"stop_reason":"tool_use","stop_reason":"end_turn","stop_sequence":null,"type":"message","usage":{"cache_creation":{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":0},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"input_tokens":0,"output_tokens":0,"server_tool_use":{"web_fetch_requests":0,"web_search_requests":0},"service_tier":"standard"}},"parentUuid":"","permissionMode":"default","promptSource":"sdk","sandboxed":false,"sourceToolAssistantUUID":"","toolUseResult":{"interrupted":false,"isImage":false,"noOutputExpected":false,"stderr":"","stdout":""},"turnOrigin":"sdk","turnPosition":{"promptIndex":0,"turnIndex":1},"type":"user","userType":"external","uuid":"","version":"2.1."}}',
  '{"background_tasks":[],"cwd":"/home/","effort":{"level":"medium"},"last_assistant_message":"","session_crons":[],"stop_hook_active":false,"transcript_path":"/home/"}',
  '{"cwd":"/home/","error":"","is_interrupt":false,"permission_suggestions":[{"destination":"session","directories":[""],"type":"addDirectories"},{"destination":"session","mode":"acceptEdits","type":"setMode"}],"prompt":""}',
  '{"attributes":{"anthropic.custom_base_url":true,"anthropic.provider":"firstParty","additional_context_chars":"0","cost_usd":"0.0","effort":"medium","hook_matcher":"*","hook_name":"PreToolUse:Bash","hook_type":"command","initial_user_message_chars":"0","managed_only":"false","num_cancelled":"0","num_hooks":"1","num_outputs_persisted":"0","num_success":"1","prompt":"","prompt_length":"","query_source":"sdk","response":"","response_length":0,"safe_mode":"false","speed":"normal","start_type":"fresh","stdout_chars":"0","system_message_chars":"0","terminal.type":"xterm-256color","tool_input":"{\\"command\\":\\"\\",\\"description\\":\\"\\"}","tool_parameters":"{\\"bash_command\\":\\"\\",\\"full_command\\":\\"\\",\\"description\\":\\"\\"}","tool_source":"builtin","ttft_ms":0,"type":"input"},"body":"claude_code.api_request","metric":{"aggregationTemporality":1,"description":"","isMonotonic":true,"kind":"sum","unit":"tokens"},"point":{"startTimeUnixNano":"17"},"resource":{"attributes":{"host.arch":"amd64","host.arch":"arm64","os.type":"linux","os.type":"darwin","os.version":"","service.name":"claude-code"}},"scope":{"name":"com.anthropic.claude_code.events","version":"2.1."}}',
  '{"cwd":"/home/","effort":{"level":"medium"},"tool_input":{"command":"","content":"","description":"","file_path":"/home/","limit":100,"new_string":"","offset":1,"old_string":"","output_mode":"content","path":"","pattern":"","prompt":"","query":"","replace_all":false,"subagent_type":"general-purpose","timeout":120000,"todos":[{"activeForm":"","content":"","status":"pending"}],"url":"https://"},"tool_response":{"content":[{"text":"","type":"text"}],"code":0,"durationMs":0,"file":{"content":"","filePath":"","numLines":1,"startLine":1,"totalLines":1},"filePath":"/home/","filenames":[""],"interrupted":false,"isImage":false,"mode":"","noOutputExpected":false,"numFiles":0,"oldString":"","originalFile":"","stderr":"","stdout":"","structuredPatch":[{"lines":[""],"newLines":1,"newStart":1,"oldLines":1,"oldStart":1}],"success":true,"type":"text","userModified":false},"transcript_path":"/home/"}',
];

const PERSON = [
  '{"claimed_user":"@example.com","claimed_user_source":"user.email","install_id":"","target_user":"","virtual_key":""}',
  '{"claimed_user":"","claimed_user_source":"metadata.user_api_key_user_id"}',
  '{"claimed_user":"","claimed_user_source":"enduser.id","install_id":"',
];

const FACTS = [
  '{"agent_id":"","agent_type":"general-purpose","body_sha256":"","change_id":"","collector_boot_id":"","collector_sequence":0,"data_classes":["email","phone"],"dead_letter_count":0,"envelope_count":1,"error_type":"","event_log":"","first_number":0,"gateway":"litellm","git_commit_id":"","last_number":0,"message_id":"msg_","policy_outcome":"allow","provider":"anthropic","quarantine_pointer":"","quarantine_reason":"","repeat_count":0,"repository":"","span_id":"","synthetic":true,"trace_id":"","writer":""}',
  '{"app_version":"2.1.","cache_creation_tokens":0,"cache_read_tokens":0,"collector":"","cost_usd_micros":0,"decision":"reject","decision_source":"user_reject","department":"engineering","duration_ms":0,"error_type":"","event_sequence":0,"file_path":"","hook_blocking_count":0,"hook_error_count":0,"hook_event":"PreToolUse","hook_source":"userSettings","input_size_bytes":0,"input_tokens":0,"mcp_server":"","message_id":"","metric_name":"claude_code.token.usage","metric_value":"1","model":"claude-opus-","occurred_at":"2026-","output_tokens":0,"permission_mode":"acceptEdits","prompt_id":"","reason":"","request_id":"req_","result_size_bytes":0,"session_id":"","source_event":"hook_execution_complete","success":false,"team_id":"platform","told":"executed","tool_name":"mcp__","tool_use_id":"toolu_01"}',
  '{"app_version":"2.1.","collector":"","decision":"accept","decision_source":"config","event_sequence":1,"occurred_at":"2026-01-01T00:00:00.000Z","prompt_id":"","session_id":"","source_event":"tool_decision","team_id":""}',
  '{"collector":"","duration_ms":10,"permission_mode":"default","prompt_id":"","session_id":"","source_event":"PostToolUse","success":true,"tool_name":"Read","tool_use_id":"toolu_01"}',
  '{"collector":"","permission_mode":"default","prompt_id":"","session_id":"","source_event":"PreToolUse","tool_name":"Bash","tool_use_id":"toolu_01"}',
];

const line = (name: string) => (part: string) => `{"index":1,"name":"${name}","part":${part}}\n`;

/** The dictionary of this version of the format. */
export const FRAME_DICTIONARY: Uint8Array = Buffer.from(
  [...CONTENT.map(line('content')), ...PERSON.map(line('person')), ...FACTS.map(line('facts'))].join(''),
);

/** As a genesis names it. */
export const FRAME_DICTIONARY_SHA256 = sha256('hex', FRAME_DICTIONARY);
