import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { readMessage, type Block } from '../../drafts/conversation.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { omitMembers, openMembers, setFact, toContent, type Members } from '../../drafts/members.ts';
import { textAt } from '../../drafts/nested.ts';
import { setToldResult } from './refusals.ts';
import { filePathOf, mcpServerOf } from '../../drafts/tool-facts.ts';

/** The only types of lines that are accepted: the others hold the vendor's own text. */
const LINE_TYPES: readonly JsonValue[] = ['user', 'assistant'];

/** A body with any other line is refused as a whole, because quarantine would keep the vendor's text too. */
function refuseLine(value: JsonValue): string | undefined {
  const isTaken = isJsonObject(value) && LINE_TYPES.includes(value['type'] ?? null);
  return isTaken ? undefined : 'a transcript body has lines of type user and assistant alone';
}

/**
 * Claude Code's own transcript, one object per line. The user can edit the file, so it is the weakest witness. But
 * only this source has, for every call, the result that the model received and the rule that decided.
 */
export const claudeCodeTranscript = itemSource({
  name: 'claude-code-transcript',
  title: 'Claude Code, transcript lines',
  route: '/v1/transcripts/claude-code',
  contentTypes: ['application/x-ndjson'],
  refuseLine,
  sessionOf: (value) => openMembers(value).text('sessionId'),
  toDrafts: (envelope, value) => toDrafts(envelope, value),
});

function toDrafts(envelope: Envelope, value: JsonObject): DraftRecord[] {
  const message = value['message'];
  const blocks = isJsonObject(message) ? readMessage(message) : [];
  const members = openMembers(value);
  const digest = digestItem(value);
  const key = ['transcript', members.text('sessionId') ?? '', members.text('uuid') ?? ''];
  const calls = blocks.flatMap((block) => toCallDraft(envelope, value, block) ?? []);
  const isCallsAlone = calls.length === blocks.length && calls.length > 0;
  const drafts = isCallsAlone ? withLine(calls, value) : [toLineDraft(envelope, value), ...calls];
  return drafts.map((draft, place) => ({
    ...draft,
    source: 'transcript',
    natural_key: [...key, String(place), digest],
    claimed_subject: null,
    folders: { working: textAt(value, 'cwd') },
  }));
}

type Draft = Pick<DraftRecord, 'type' | 'facts' | 'content'>;

/** Adds the rest of the line to the draft of its first call. */
function withLine([first, ...others]: readonly Draft[], value: JsonObject): Draft[] {
  if (first === undefined) return [];
  const { message, ...line } = besideFacts(value, first.facts);
  const beside = isJsonObject(message)
    ? { ...line, message: omitMembers(message, new Set(['content'])) }
    : line;
  return [{ ...first, content: { ...first.content, line: toHashable(beside) } }, ...others];
}

/** The draft of a tool use or of a tool result; undefined for any other block. */
function toCallDraft(envelope: Envelope, value: JsonObject, block: Block): Draft | undefined {
  if (block.kind !== 'tool_use' && block.kind !== 'tool_result') return undefined;
  const facts = openFacts(envelope, value, block.kind);
  facts.tool_use_id = block.id;
  if (block.kind === 'tool_use') {
    setFact(facts, 'tool_name', block.name === '' ? undefined : block.name);
    setFact(facts, 'mcp_server', mcpServerOf(block.name));
    setFact(facts, 'file_path', filePathOf(block.name, block.input));
    return { type: 'tool.requested', facts, content: { tool_input: toHashable(block.input) } };
  }
  setToldResult(facts, undefined, block);
  setDecision(facts, value['permissionDecision']);
  // The wording of a refusal depends on the tool, which this line does not name. The decision settles it.
  if (block.isError === true && facts.decision === 'reject') facts.told = 'denied';
  if (block.isError === true && facts.decision === 'accept') facts.told = 'failed';
  return { type: 'tool.reported', facts, content: { tool_response: toHashable(block.response) } };
}

/** The draft of a line that holds more than calls: a person's prompt or an answer of the model. */
function toLineDraft(envelope: Envelope, value: JsonObject): Draft {
  const isAnswer = value['type'] === 'assistant';
  const facts = openFacts(envelope, value, isAnswer ? 'assistant' : 'user');
  const content = toContent(toHashable(besideFacts(value, facts)) as JsonObject);
  return { type: isAnswer ? 'model.answered' : 'prompt.submitted', facts, content };
}

/** Members, and the facts that carry them. */
const MEMBER_FACTS: readonly (readonly [member: string, fact: keyof StatedFacts])[] = [
  ['sessionId', 'session_id'],
  ['timestamp', 'occurred_at'],
  ['version', 'app_version'],
  ['agentId', 'agent_id'],
  ['promptId', 'prompt_id'],
];

/** The line without the members that its facts carry word for word. */
function besideFacts(value: JsonObject, facts: StatedFacts): JsonObject {
  const carried = MEMBER_FACTS.filter(([member, fact]) => value[member] === facts[fact]);
  return omitMembers(value, new Set(carried.map(([member]) => member)));
}

function openFacts(envelope: Envelope, value: JsonObject, source_event: string): StatedFacts {
  const members = openMembers(value);
  const facts: StatedFacts = { source_event, collector: envelope.principal };
  setFact(facts, 'occurred_at', instantOf(members));
  setFact(facts, 'session_id', members.text('sessionId'));
  setFact(facts, 'prompt_id', members.text('promptId'));
  setFact(facts, 'agent_id', members.text('agentId'));
  setFact(facts, 'app_version', members.text('version'));
  setFact(facts, 'permission_mode', members.word('permissionMode'));
  setFact(facts, 'request_id', members.text('requestId'));
  if (isJsonObject(value['message'])) {
    const message = openMembers(value['message']);
    setFact(facts, 'message_id', message.text('id'));
    setFact(facts, 'model', message.text('model'));
  }
  return facts;
}

function instantOf(members: Members): string | undefined {
  const text = members.text('timestamp');
  return text !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text)
    ? text
    : undefined;
}

/**
 * Sets the decision and what decided it, if the client says so. A refusal by a rule is one even if its `source` says
 * that the user refused.
 */
function setDecision(facts: StatedFacts, decided: unknown): void {
  if (!isJsonObject(decided)) return;
  const members = openMembers(decided);
  const decision = members.word('decision');
  setFact(facts, 'decision', decision);
  const byRule = decided['reasonType'] === 'rule' || decided['ruleSource'] !== undefined;
  setFact(facts, 'decision_source', decision === 'reject' && byRule ? 'rule' : members.word('source'));
  setFact(facts, 'reason', members.word('reasonCode', 'reasonType'));
}
