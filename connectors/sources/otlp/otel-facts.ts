import type { JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { SYNTHETIC_ATTRIBUTE } from '../../drafts/synthetic.ts';
import { setFact, type Members } from '../../drafts/members.ts';
import type { OtelEvent } from './otel-event.ts';
import { filePathOf, gitCommitOf, mcpServerOf } from '../../drafts/tool-facts.ts';

/** The attributes that name a session. The first usable one counts. */
export const SESSION_ATTRIBUTES = ['session.id', 'gen_ai.conversation.id'] as const;

/** The facts of an event that mean the same in every signal and for every emitter. */
export function openOtelFacts({ envelope, item, members }: OtelEvent, source_event: string): StatedFacts {
  const { traceId, spanId } = item.record;
  const facts: StatedFacts = { source_event, collector: envelope.principal };
  setClaimedUser(facts, members);
  setFact(facts, 'install_id', members.text('user.id'));
  setFact(facts, 'organization_id', members.text('organization.id'));
  setFact(facts, 'department', members.text('department'));
  setFact(facts, 'team_id', members.text('team.id'));
  setFact(facts, 'session_id', members.text(...SESSION_ATTRIBUTES));
  setFact(facts, 'trace_id', typeof traceId === 'string' ? traceId : undefined);
  setFact(facts, 'span_id', typeof spanId === 'string' ? spanId : undefined);
  setFact(facts, 'app_version', members.text('app.version', 'service.version'));
  setFact(facts, 'synthetic', members.flag(SYNTHETIC_ATTRIBUTE));
  return facts;
}

/**
 * The person who is claimed to have acted. The operator of the fleet sets `enduser.id`, and the login sets
 * `user.email`. `user.id` is an installation or, with a gateway login, the person.
 */
function setClaimedUser(facts: StatedFacts, members: Members): void {
  for (const claimed_user_source of ['enduser.id', 'user.email', 'user.id']) {
    const claimed_user = members.text(claimed_user_source);
    if (claimed_user === undefined) continue;
    setFact(facts, 'claimed_user', claimed_user);
    setFact(facts, 'claimed_user_source', claimed_user_source);
    return;
  }
}

/** StatedFacts from Claude Code's own attributes, which are the same in logs, metrics and spans. */
export function setClaudeCodeFacts(facts: StatedFacts, event: OtelEvent): void {
  const { members } = event;
  setFact(facts, 'prompt_id', members.text('prompt.id'));
  setFact(facts, 'request_id', members.text('request_id'));
  setFact(facts, 'message_id', members.text('message.id', 'message.uuid'));
  setFact(facts, 'agent_id', members.text('agent_id', 'agent.id'));
  setFact(facts, 'agent_type', members.text('agent_type', 'agent.name'));
  setTool(facts, event);
  setFact(facts, 'decision', members.word('decision', 'decision_type'));
  setFact(facts, 'permission_mode', members.text('permission_mode', 'to_mode'));
  setFact(facts, 'success', members.flag('success'));
  setFact(facts, 'error_type', members.word('error_type', 'error.type', 'error_category', 'error_name'));
  setFact(facts, 'duration_ms', members.count('duration_ms', 'total_duration_ms'));
  setFact(facts, 'event_sequence', members.count('event.sequence'));
  setUsage(facts, event);
  setFact(facts, 'hook_event', members.text('hook_event'));
  setFact(facts, 'hook_source', members.text('hook_source'));
  setFact(facts, 'hook_blocking_count', members.count('num_blocking'));
  setFact(facts, 'hook_error_count', members.count('num_non_blocking_error'));
}

function setTool(facts: StatedFacts, { attributes, members }: OtelEvent): void {
  const tool = members.text('tool_name', 'gen_ai.tool.name');
  const server = members.text('mcp_server.name', 'mcp_server_name', 'server_name');
  setFact(facts, 'tool_name', tool);
  setFact(facts, 'tool_use_id', members.text('tool_use_id', 'gen_ai.tool.call.id'));
  setFact(facts, 'mcp_server', server ?? mcpServerOf(tool));
  setFact(facts, 'file_path', members.text('file_path') ?? filePathOf(tool, attributes['tool_input']));
  const commit = members.text('git_commit_id') ?? gitCommitOf(attributes['tool_parameters']);
  setFact(facts, 'git_commit_id', commit);
  setFact(facts, 'input_size_bytes', members.count('tool_input_size_bytes'));
  setFact(facts, 'result_size_bytes', members.count('tool_result_size_bytes'));
}

function setUsage(facts: StatedFacts, { attributes, members }: OtelEvent): void {
  setFact(facts, 'model', members.text('model', 'gen_ai.request.model'));
  setFact(facts, 'input_tokens', members.count('input_tokens'));
  setFact(facts, 'output_tokens', members.count('output_tokens'));
  setFact(facts, 'cache_read_tokens', members.count('cache_read_tokens'));
  setFact(facts, 'cache_creation_tokens', members.count('cache_creation_tokens'));
  setFact(facts, 'cost_usd_micros', members.count('cost_usd_micros') ?? toMicros(attributes['cost_usd']));
}

/** Dollars as micro-dollars, rounded. The exact amount stays among the attributes. */
function toMicros(usd: JsonValue | undefined): number | undefined {
  if (typeof usd !== 'number' && typeof usd !== 'string') return undefined;
  const micros = usd === '' ? Number.NaN : Math.round(Number(usd) * 1_000_000);
  return Number.isSafeInteger(micros) && micros >= 0 ? micros : undefined;
}

/** An integer of the normal form as text; '' for any other value. */
export function integerText(value: JsonValue | undefined): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
}

/** A name that the source gave. Undefined for other types, empty text and text of more than 256 characters. */
export function nameOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 256 ? value : undefined;
}
