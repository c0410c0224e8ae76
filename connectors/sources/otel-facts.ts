import { createHash } from 'node:crypto';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import type { Content, Facts } from '../../schemas/record.ts';
import type { OtlpItem } from '../otlp/decode.ts';
import { SYNTHETIC_ATTRIBUTE } from '../synthetic.ts';
import { ifAny, omitMembers, openMembers, toContent, withoutAbsent, type Members } from './members.ts';
import { filePathOf, gitCommitOf, mcpServerOf } from './tool-facts.ts';

/** An OTLP item with its attributes opened: the item's own before its resource's. */
export interface OtelEvent {
  readonly envelope: Envelope;
  readonly item: OtlpItem;
  readonly digest: string;
  readonly attributes: JsonObject;
  readonly members: Members;
  /** Whether the scope is Claude Code's own; another emitter's attributes may use the same names differently. */
  readonly isClaudeCode: boolean;
}

export function openOtelEvent(envelope: Envelope, item: OtlpItem, digest: string): OtelEvent {
  const attributes = attributesOf(item.record);
  const scopeName = item.scope['name'];
  return {
    envelope,
    item,
    digest,
    attributes,
    members: openMembers(attributes, attributesOf(item.resource)),
    isClaudeCode: typeof scopeName === 'string' && /^com\.anthropic\.claude_code(?:\.|$)/.test(scopeName),
  };
}

function attributesOf(part: JsonObject): JsonObject {
  const attributes = part['attributes'];
  return isJsonObject(attributes) ? attributes : {};
}

/**
 * Digests items over canonical JSON of resource, scope, metric and record: the same for one event in any grouping and
 * either encoding. What the items of a group share is written out once per body.
 */
export function openOtelDigest(): (item: OtlpItem) => string {
  const texts = new Map<JsonObject, string>();
  function shared(part: JsonObject): string {
    const text = texts.get(part) ?? canonicalJson(part);
    texts.set(part, text);
    return text;
  }
  return ({ resource, scope, metric, record }) => {
    const parts = `"metric":${shared(metric)},"record":${canonicalJson(record)}`;
    return createHash('sha256')
      .update(`{${parts},"resource":${shared(resource)},"scope":${shared(scope)}}`)
      .digest('hex');
  };
}

/**
 * Who is claimed to have acted. `enduser.id` is set by whoever runs the fleet, `user.email` by the login, `user.id`
 * is an installation, or the person under a gateway login.
 */
export function readClaimedUser(members: Members): Pick<Facts, 'claimed_user' | 'claimed_user_source'> {
  for (const claimed_user_source of ['enduser.id', 'user.email', 'user.id']) {
    const claimed_user = members.text(claimed_user_source);
    if (claimed_user !== undefined) return { claimed_user, claimed_user_source };
  }
  return {};
}

/** Facts that mean the same in every signal and for every emitter. */
export function readCommonFacts({ envelope, item, members }: OtelEvent): Partial<Facts> {
  const { traceId, spanId } = item.record;
  return {
    collector: envelope.principal,
    ...readClaimedUser(members),
    ...said({
      install_id: members.text('user.id'),
      organization_id: members.text('organization.id'),
      department: members.text('department'),
      team_id: members.text('team.id'),
      session_id: members.text('session.id', 'gen_ai.conversation.id'),
      trace_id: typeof traceId === 'string' ? traceId : undefined,
      span_id: typeof spanId === 'string' ? spanId : undefined,
      app_version: members.text('app.version', 'service.version'),
      synthetic: members.flag(SYNTHETIC_ATTRIBUTE),
    }),
  };
}

/** Facts out of Claude Code's own attributes, in logs, metrics and spans alike. */
export function readClaudeCodeFacts({ attributes, members }: OtelEvent): Partial<Facts> {
  const tool_name = members.text('tool_name', 'gen_ai.tool.name');
  const parameters = attributes['tool_parameters'];
  return said({
    prompt_id: members.text('prompt.id'),
    tool_use_id: members.text('tool_use_id', 'gen_ai.tool.call.id'),
    request_id: members.text('request_id'),
    message_id: members.text('message.id', 'message.uuid'),
    agent_id: members.text('agent_id', 'agent.id'),
    agent_type: members.text('agent_type', 'agent.name'),
    tool_name,
    mcp_server: members.text('mcp_server.name', 'mcp_server_name', 'server_name') ?? mcpServerOf(tool_name),
    file_path: members.text('file_path') ?? filePathOf(tool_name, attributes['tool_input']),
    git_commit_id: members.text('git_commit_id') ?? gitCommitOf(parameters),
    decision: members.word('decision', 'decision_type'),
    permission_mode: members.text('permission_mode', 'to_mode'),
    success: members.flag('success'),
    error_type: members.word('error_type', 'error.type', 'error_category', 'error_name'),
    duration_ms: members.count('duration_ms', 'total_duration_ms'),
    event_sequence: members.count('event.sequence'),
    model: members.text('model', 'gen_ai.request.model'),
    ...readUsage(members),
    input_size_bytes: members.count('tool_input_size_bytes'),
    result_size_bytes: members.count('tool_result_size_bytes'),
    hook_event: members.text('hook_event'),
    hook_source: members.text('hook_source'),
    hook_blocking_count: members.count('num_blocking'),
    hook_error_count: members.count('num_non_blocking_error'),
  });
}

function readUsage(members: Members): Partial<Facts> {
  return said({
    input_tokens: members.count('input_tokens'),
    output_tokens: members.count('output_tokens'),
    cache_read_tokens: members.count('cache_read_tokens'),
    cache_creation_tokens: members.count('cache_creation_tokens'),
    cost_usd_micros: members.count('cost_usd_micros') ?? toMicros(members.rest()['cost_usd']),
  });
}

/** Dollars as integer micro-dollars, to the nearest; the amount itself stays among the attributes. */
function toMicros(usd: JsonValue | undefined): number | undefined {
  if (typeof usd !== 'number' && typeof usd !== 'string') return undefined;
  const micros = usd === '' ? Number.NaN : Math.round(Number(usd) * 1_000_000);
  return Number.isSafeInteger(micros) && micros >= 0 ? micros : undefined;
}

/** Keeps the facts that the source said. */
export function said(facts: { readonly [Name in keyof Facts]?: Facts[Name] | undefined }): Partial<Facts> {
  const entries = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/**
 * Everything of an item that no fact carries. `parts` is what is left of its own members; attributes keep the
 * source's spelling, and members that OTLP did not define when this was written stand under `extensions`.
 */
export function toOtelContent(
  { item, members }: OtelEvent,
  parts: Readonly<Record<string, JsonValue | undefined>>,
): Content | null {
  const { resource, scope, metric, record } = item;
  const extensions = withoutAbsent({
    resource: resource['unknown'],
    scope: scope['unknown'],
    metric: metric['unknown'],
    record: record['unknown'],
  });
  return toContent({
    ...parts,
    attributes: ifAny(members.rest(0)),
    resource: ifAny(
      withoutAbsent({
        ...omitMembers(resource, 'unknown'),
        attributes: ifAny(members.rest(1)),
      }),
    ),
    scope: ifAny(omitMembers(scope, 'unknown')),
    extensions: ifAny(extensions),
  });
}

/** An integer of the normal form as text; '' where there is none. */
export function integerText(value: JsonValue | undefined): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
}

/** A name that the source gave; text of another length or kind is no name. */
export function nameOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 256 ? value : undefined;
}
