import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { Content, Facts } from '../../../schemas/record.ts';
import { digestItem } from '../../drafts/digest.ts';
import { cutValues } from '../../wire/json/cut-values.ts';
import { parseStrict } from '../../wire/json/strict-json.ts';
import { expandOrQuarantine, quarantineBody } from '../../drafts/expand.ts';
import { MAX_ITEMS, MAX_SHARED_BYTES } from '../../wire/decoded-body.ts';
import type { Expanded, SourceConnector } from '../../drafts/source.ts';
import { SYNTHETIC_MEMBER } from '../../drafts/synthetic.ts';
import { hookEventOf, isKnownHookMember, type HookEvent } from './hook-events.ts';
import {
  ifAny,
  keep,
  omitMembers,
  openMembers,
  say,
  toContent,
  type Members,
  type Parts,
} from '../../drafts/members.ts';
import { readTold } from './refusals.ts';
import { filePathOf, mcpServerOf } from '../../drafts/tool-facts.ts';

/**
 * Claude Code hook calls: one JSON object per request, one record per object, but one record per tool call of a
 * PostToolBatch. Hooks carry no time and no person; both come from elsewhere.
 */
export const claudeCodeHook: SourceConnector = {
  name: 'claude-code-hook',
  expand: (envelope) => expandOrQuarantine(envelope, () => expandHook(envelope)),
};

interface Hook {
  readonly envelope: Envelope;
  readonly body: JsonObject;
  readonly digest: string;
  readonly text: string;
}

function expandHook(envelope: Envelope): Expanded[] {
  const { text, value, problems } = parseStrict(envelope.body);
  const [problem] = problems;
  if (problem !== undefined) return quarantineBody(envelope, problem.reason, problem.pointer);
  if (!isJsonObject(value)) return quarantineBody(envelope, 'item_shape_invalid');
  const hook: Hook = { envelope, body: value, digest: digestItem(value), text };
  const calls = value['tool_calls'];
  const isBatch = value['hook_event_name'] === 'PostToolBatch' && Array.isArray(calls) && calls.length > 0;
  return isBatch ? expandBatch(hook, calls) : [expandOne(hook, value, '')];
}

/** Each call of a batch is one record with what the batch says of all of them. */
function expandBatch(hook: Hook, calls: readonly JsonValue[]): Expanded[] {
  const shared = omitMembers(hook.body, new Set(['tool_calls']));
  const sharedBytes = JSON.stringify(shared).length * calls.length;
  if (calls.length > MAX_ITEMS || sharedBytes > MAX_SHARED_BYTES) {
    return quarantineBody(hook.envelope, 'body_expands_too_large');
  }
  const pointers = calls.flatMap((call, index) => (isJsonObject(call) ? [] : [`/tool_calls/${index}`]));
  const cuts = cutValues(hook.text, hook.envelope.body, new Set(pointers));
  return calls.map((call, index): Expanded => {
    if (isJsonObject(call)) return expandOne(hook, joinCall(shared, call), `#${index}`);
    const pointer = `/tool_calls/${index}`;
    const bytes = cuts.get(pointer) ?? hook.envelope.body;
    return { kind: 'quarantined', item: { reason: 'item_shape_invalid', pointer, bytes } };
  });
}

/** What the batch says of itself stands; a call that says otherwise is kept beside it. */
function joinCall(shared: JsonObject, call: JsonObject): JsonObject {
  const clashes = Object.keys(call).some((name) => Object.hasOwn(shared, name));
  return { ...call, ...shared, ...(clashes ? { tool_call: call } : {}) };
}

function expandOne(hook: Hook, item: JsonObject, fallbackKey: string): Expanded {
  const members = openMembers(item);
  const facts = toHookFacts(hook.envelope, item, members);
  const { session_id = '', source_event, tool_use_id, prompt_id = '' } = facts;
  const place = tool_use_id ?? (fallbackKey === '' ? prompt_id : fallbackKey);
  const delivery = hook.envelope.idempotency_key ?? '';
  return {
    kind: 'draft',
    draft: {
      type: hookEventOf(source_event).type,
      source: 'hook',
      natural_key: ['hook', session_id, source_event, place, delivery, hook.digest],
      claimed_subject: null,
      facts,
      content: toHookContent(members.rest()),
    },
  };
}

function toHookFacts(envelope: Envelope, item: JsonObject, members: Members): Facts {
  const facts: Facts = {
    source_event: members.text('hook_event_name') ?? 'unnamed',
    collector: envelope.principal,
  };
  const event = hookEventOf(facts.source_event);
  say(facts, 'session_id', members.text('session_id'));
  say(facts, 'prompt_id', members.text('prompt_id'));
  say(facts, 'tool_use_id', members.text('tool_use_id'));
  say(facts, 'message_id', members.text('message_id'));
  say(facts, 'agent_id', members.text('agent_id'));
  say(facts, 'agent_type', members.text('agent_type'));
  const tool = members.text('tool_name');
  say(facts, 'tool_name', tool);
  say(facts, 'mcp_server', mcpServerName(item) ?? mcpServerOf(tool));
  say(facts, 'file_path', members.text('file_path') ?? filePathOf(tool, item['tool_input']));
  say(facts, 'permission_mode', members.text('permission_mode'));
  say(facts, 'duration_ms', members.count('duration_ms'));
  say(facts, 'model', members.text('model'));
  say(facts, 'synthetic', members.flag(SYNTHETIC_MEMBER));
  sayEventFacts(facts, event, members);
  if (event.type === 'tool.reported' && tool !== undefined) {
    const { told, decision_source } = readTold(tool, item['tool_response']);
    say(facts, 'told', told);
    say(facts, 'decision_source', decision_source);
  }
  return facts;
}

function sayEventFacts(facts: Facts, event: HookEvent, members: Members): void {
  if (event.reason !== undefined) say(facts, 'reason', members.word(event.reason));
  if (event.error !== undefined) say(facts, 'error_type', members.word(event.error));
  say(facts, 'success', event.success);
  say(facts, 'decision', event.decided?.decision);
  say(facts, 'decision_source', event.decided?.decision_source);
}

function mcpServerName(item: JsonObject): string | undefined {
  const server = item['mcp_server'];
  return isJsonObject(server) ? openMembers(server).text('name') : undefined;
}

function toHookContent(rest: JsonObject): Content | null {
  const content: Parts = {};
  const extensions: Parts = {};
  for (const name of Object.keys(rest)) {
    keep(isKnownHookMember(name) ? content : extensions, name, toHashable(rest[name] ?? null));
  }
  keep(content, 'extensions', ifAny(extensions));
  return toContent(content);
}
