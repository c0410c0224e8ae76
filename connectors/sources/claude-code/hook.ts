import type { Envelope } from '../../../schemas/envelope.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { isJsonObject, toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { Content, StatedFacts } from '../../../schemas/record.ts';
import { digestItem } from '../../drafts/digest.ts';
import { cutValues } from '../../wire/json/cut-values.ts';
import { parseStrict } from '../../wire/json/strict-json.ts';
import { EMPTY_OBJECT } from '../../drafts/answers.ts';
import { expandOrQuarantine, quarantineBody } from '../../drafts/decoded-items.ts';
import { firstCharacterOf } from '../../drafts/json-body.ts';
import { defineSource, type Expanded, type ReadBody } from '../../drafts/source.ts';
import { MAX_ITEMS, MAX_SHARED_BYTES, type ItemPlace, type UnitProblem } from '../../wire/body.ts';
import type { JsonProblem } from '../../wire/json/problems.ts';
import { SYNTHETIC_MEMBER } from '../../drafts/synthetic.ts';
import { hookEventOf, isKnownHookMember, type HookEvent } from './hook-events.ts';
import {
  ifAny,
  setPart,
  omitMembers,
  openMembers,
  setFact,
  toContent,
  type Members,
  type ContentParts,
} from '../../drafts/members.ts';
import { textAt } from '../../drafts/nested.ts';
import { readTold } from './refusals.ts';
import { filePathOf, mcpServerOf } from '../../drafts/tool-facts.ts';

/**
 * Claude Code hook calls: one JSON object per request, one record per object, but one record per tool call of a
 * PostToolBatch. Hooks carry no time and no person; both come from elsewhere.
 */
export const claudeCodeHook = defineSource({
  name: 'claude-code-hook',
  title: 'Claude Code, hooks',
  route: '/v1/hooks/claude-code',
  contentTypes: ['application/json'],
  proof: 'bearer',
  answer: EMPTY_OBJECT,
  read: (envelope) => readHook(envelope),
  expand: (envelope) => expandOrQuarantine(envelope, () => expandHook(envelope)),
});

/** A hook body that was parsed: the problem of the whole, or its object and the calls of a batch. */
type ParsedHook =
  | { readonly problem: JsonProblem }
  | {
      readonly problem: undefined;
      readonly body: JsonObject;
      readonly text: string;
      /** Of a batch; undefined of any other event. */
      readonly calls: readonly JsonValue[] | undefined;
      /** The batch without its calls. */
      readonly shared: JsonObject;
    };

/** Throws BODY_MALFORMED for what is not JSON. */
function parseHook({ body }: Envelope): ParsedHook {
  const { text, value, problems } = parseStrict(body);
  const [problem] = problems;
  if (problem !== undefined) return { problem };
  if (!isJsonObject(value)) return { problem: { pointer: '', reason: 'item_shape_invalid' } };
  const list = value['tool_calls'];
  const isBatch = value['hook_event_name'] === 'PostToolBatch' && Array.isArray(list) && list.length > 0;
  if (!isBatch) return { problem: undefined, body: value, text, calls: undefined, shared: value };
  const calls = list as readonly JsonValue[];
  const shared = omitMembers(value, new Set(['tool_calls']));
  // Each call is one record with all that the batch says beside it.
  const sharedBytes = JSON.stringify(shared).length * calls.length;
  if (calls.length > MAX_ITEMS || sharedBytes > MAX_SHARED_BYTES) {
    return { problem: { pointer: '', reason: 'body_expands_too_large' } };
  }
  return { problem: undefined, body: value, text, calls, shared };
}

function pointerOfCall(index: number): string {
  return `/tool_calls/${index}`;
}

/**
 * A hook is one item however many calls it reports, and stays in one piece: the digest of the whole is part of the key of
 * each call. It belongs to the session that it names.
 */
function readHook(envelope: Envelope): ReadBody {
  const hook = parseHook(envelope);
  if (firstCharacterOf(envelope.body) !== '{') {
    throw new PipelineError('BODY_MALFORMED', 'a hook body is a JSON object', { place: 'line 1 column 1' });
  }
  const whole = { itemCount: 1, cut: () => undefined };
  if (hook.problem !== undefined) {
    const problem: UnitProblem = { index: 0, unit_pointer: '', ...hook.problem, item_count: 1 };
    const item = { recordCount: 1, session: undefined };
    return { ...whole, recordCount: 1, problems: [problem], items: () => [item] };
  }
  const { body, calls } = hook;
  const problems = calls === undefined ? [] : problemsOf(calls);
  const recordCount = calls?.length ?? 1;
  const session = () => openMembers(body).text('session_id');
  return { ...whole, recordCount, problems, items: () => [{ recordCount, session: session() }] };
}

function problemsOf(calls: readonly JsonValue[]): UnitProblem[] {
  return calls.flatMap((call, index): UnitProblem[] => {
    if (isJsonObject(call)) return [];
    const pointer = pointerOfCall(index);
    // A batch of one call that is unsound is unsound as a whole.
    const unit_pointer = calls.length === 1 ? '' : pointer;
    return [{ index, unit_pointer, pointer, reason: 'item_shape_invalid', item_count: 1 }];
  });
}

interface Hook {
  readonly envelope: Envelope;
  readonly digest: string;
}

function expandHook(envelope: Envelope): Expanded[] {
  const parsed = parseHook(envelope);
  if (parsed.problem !== undefined) {
    return quarantineBody(envelope, parsed.problem.reason, parsed.problem.pointer);
  }
  const { body, text, calls, shared } = parsed;
  const hook: Hook = { envelope, digest: digestItem(body) };
  if (calls === undefined) return [expandOne(hook, body, '')];
  let cuts: ReadonlyMap<string, Uint8Array> | undefined;
  const placeOf = (index: number): ItemPlace => {
    cuts ??= cutValues(text, envelope.body, new Set(calls.map((_, place) => pointerOfCall(place))));
    const pointer = pointerOfCall(index);
    return { pointer, bytes: cuts.get(pointer) ?? envelope.body };
  };
  return calls.map((call, index): Expanded => {
    if (!isJsonObject(call)) {
      return { kind: 'quarantined', item: { reason: 'item_shape_invalid', ...placeOf(index) } };
    }
    return { ...expandOne(hook, joinCall(shared, call), `#${index}`), place: () => placeOf(index) };
  });
}

/** Members of the batch win. A call with a member of the same name is also kept whole, as `tool_call`. */
function joinCall(shared: JsonObject, call: JsonObject): JsonObject {
  const clashes = Object.keys(call).some((name) => Object.hasOwn(shared, name));
  return { ...call, ...shared, ...(clashes ? { tool_call: call } : {}) };
}

function expandOne(hook: Hook, item: JsonObject, fallbackKey: string): Expanded & { kind: 'draft' } {
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
      folders: { working: textAt(item, 'cwd'), transcript: textAt(item, 'transcript_path') },
      content: toHookContent(members.rest()),
    },
  };
}

function toHookFacts(envelope: Envelope, item: JsonObject, members: Members): StatedFacts {
  const facts: StatedFacts = {
    source_event: members.text('hook_event_name') ?? 'unnamed',
    collector: envelope.principal,
  };
  const event = hookEventOf(facts.source_event);
  setFact(facts, 'session_id', members.text('session_id'));
  setFact(facts, 'prompt_id', members.text('prompt_id'));
  setFact(facts, 'tool_use_id', members.text('tool_use_id'));
  setFact(facts, 'message_id', members.text('message_id'));
  setFact(facts, 'agent_id', members.text('agent_id'));
  setFact(facts, 'agent_type', members.text('agent_type'));
  const tool = members.text('tool_name');
  setFact(facts, 'tool_name', tool);
  setFact(facts, 'mcp_server', mcpServerName(item) ?? mcpServerOf(tool));
  setFact(facts, 'file_path', members.text('file_path') ?? filePathOf(tool, item['tool_input']));
  setFact(facts, 'permission_mode', members.text('permission_mode'));
  setFact(facts, 'duration_ms', members.count('duration_ms'));
  setFact(facts, 'model', members.text('model'));
  setFact(facts, 'synthetic', members.flag(SYNTHETIC_MEMBER));
  setEventFacts(facts, event, members);
  if (event.type === 'tool.reported' && tool !== undefined) {
    const { told, decision_source } = readTold(tool, item['tool_response']);
    setFact(facts, 'told', told);
    setFact(facts, 'decision_source', decision_source);
  }
  return facts;
}

function setEventFacts(facts: StatedFacts, event: HookEvent, members: Members): void {
  if (event.reason !== undefined) setFact(facts, 'reason', members.word(event.reason));
  if (event.error !== undefined) setFact(facts, 'error_type', members.word(event.error));
  setFact(facts, 'success', event.success);
  setFact(facts, 'decision', event.decided?.decision);
  setFact(facts, 'decision_source', event.decided?.decision_source);
}

function mcpServerName(item: JsonObject): string | undefined {
  const server = item['mcp_server'];
  return isJsonObject(server) ? openMembers(server).text('name') : undefined;
}

function toHookContent(rest: JsonObject): Content | null {
  const content: ContentParts = {};
  const extensions: ContentParts = {};
  for (const name of Object.keys(rest)) {
    setPart(isKnownHookMember(name) ? content : extensions, name, toHashable(rest[name] ?? null));
  }
  setPart(content, 'extensions', ifAny(extensions));
  return toContent(content);
}
