import { hash } from 'node:crypto';
import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import type { Block } from '../../drafts/conversation.ts';
import { setFact, toContent } from '../../drafts/members.ts';
import { textAt } from '../../drafts/nested.ts';
import { filePathOf, mcpServerOf } from '../../drafts/tool-facts.ts';
import { setToldResult } from '../claude-code/refusals.ts';

/** One request to a model through a gateway, in the terms that all gateways share. */
export interface GatewayCall {
  /** The gateway's own name of the event. */
  readonly event: string;
  readonly has_failed: boolean;
  /** StatedFacts that the gateway reports: people, model, tokens, cost, policy, join keys. */
  readonly facts: Omit<Partial<StatedFacts>, 'source_event' | 'collector'>;
  /** The conversation so far, as the client sent it, and the answer of the model. */
  readonly messages: readonly Block[];
  readonly answer: readonly Block[];
  /** Tools that the request offers. Their descriptions are the vendor's text. */
  readonly tools: JsonValue | undefined;
  /** Everything else, for the content of the call's record. */
  readonly rest: JsonObject;
}

/**
 * One record for the call, and one for each text, tool use and tool result of its conversation. A client repeats the
 * whole conversation with every call. So the records of its parts are keyed by session and digest, and the ledger
 * keeps each once. Instructions and tool descriptions are the vendor's text and are kept only as digests.
 */
export function toGatewayDrafts(
  envelope: Envelope,
  gateway: string,
  item: JsonObject,
  call: GatewayCall,
): DraftRecord[] {
  const facts: StatedFacts = {
    ...call.facts,
    source_event: call.event,
    collector: envelope.principal,
    gateway,
  };
  const claimed_subject = facts.claimed_user ?? null;
  const nameOf = toolNames([...call.messages, ...call.answer]);
  const shared = sharedFacts(facts);
  const toPart = (block: Block) =>
    toPartDraft(block, { ...shared, source_event: sourceEventOf(block) }, nameOf);
  const [messages, answer] = [call.messages.map(toPart), call.answer.map(toPart)];
  return [
    {
      type: call.has_failed ? 'model.failed' : 'model.called',
      source: 'gateway',
      natural_key: ['gateway', gateway, facts.request_id ?? '', digestItem(item)],
      claimed_subject,
      facts,
      content: toCallContent(call, { messages, answer }),
    },
    ...[...messages, ...answer].map((part): DraftRecord => ({ ...part, source: 'gateway', claimed_subject })),
  ];
}

/** StatedFacts that a part of the conversation takes from the call that showed it first. */
function sharedFacts(facts: StatedFacts): StatedFacts {
  const shared: StatedFacts = { source_event: '', collector: facts.collector };
  const names = ['occurred_at', 'claimed_user', 'claimed_user_source', 'install_id', 'session_id'] as const;
  for (const name of names) setFact(shared, name, facts[name]);
  for (const name of ['organization_id', 'team_id', 'agent_id', 'gateway'] as const)
    setFact(shared, name, facts[name]);
  if (facts.session_id === undefined) setFact(shared, 'trace_id', facts.trace_id ?? facts.request_id);
  setFact(shared, 'synthetic', facts.synthetic);
  return shared;
}

function toolNames(blocks: readonly Block[]): (id: string) => string | undefined {
  const names = new Map<string, string>();
  for (const block of blocks) if (block.kind === 'tool_use') names.set(block.id, block.name);
  return (id) => names.get(id);
}

function sourceEventOf(block: Block): string {
  return block.kind === 'text' || block.kind === 'other' ? `message.${block.role}` : block.kind;
}

type PartDraft = Pick<DraftRecord, 'type' | 'natural_key' | 'facts' | 'content'>;

function toPartDraft(
  block: Block,
  facts: StatedFacts,
  nameOf: (id: string) => string | undefined,
): PartDraft {
  const scope = facts.session_id ?? facts.trace_id ?? '';
  const key = (kind: string, ...more: string[]) => [
    'gateway-part',
    facts.gateway ?? '',
    scope,
    kind,
    ...more,
  ];
  switch (block.kind) {
    case 'text':
      return toMessageDraft(facts, key(block.role), block.role, block.text);
    case 'other':
      return toMessageDraft(facts, key(block.role), block.role, block.value);
    case 'tool_use': {
      setTool(facts, block.id, block.name, block.input);
      const natural_key = key('tool_use', block.id, digestItem({ name: block.name, input: block.input }));
      return { type: 'tool.requested', natural_key, facts, content: { tool_input: toHashable(block.input) } };
    }
    case 'tool_result': {
      const name = nameOf(block.id);
      setTool(facts, block.id, name, undefined);
      setToldResult(facts, name, block);
      const natural_key = key('tool_result', block.id, digestItem([block.isError ?? null, block.response]));
      const content = { tool_response: toHashable(block.response) };
      return { type: 'tool.reported', natural_key, facts, content };
    }
  }
}

function setTool(
  facts: StatedFacts,
  id: string,
  name: string | undefined,
  input: JsonValue | undefined,
): void {
  facts.tool_use_id = id;
  if (name === undefined || name === '') return;
  facts.tool_name = name;
  setFact(facts, 'mcp_server', mcpServerOf(name));
  setFact(facts, 'file_path', filePathOf(name, input));
}

/** Text of a person or of the model is kept. Of instructions only size and digest are kept. */
function toMessageDraft(facts: StatedFacts, key: string[], role: string, value: JsonValue): PartDraft {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  facts.body_sha256 = hash('sha256', text, 'hex');
  facts.input_size_bytes = Buffer.byteLength(text);
  const content = role === 'system' ? null : { role, message: toHashable(value) };
  return { type: 'message.observed', natural_key: [...key, facts.body_sha256], facts, content };
}

function toCallContent(
  { tools, rest }: GatewayCall,
  { messages, answer }: Readonly<Record<'messages' | 'answer', readonly PartDraft[]>>,
): JsonObject | null {
  return toContent({
    ...(toHashable(rest) as JsonObject),
    ...(messages.length > 0 ? { message_digests: messages.map(nameOfPart) } : {}),
    ...(answer.length > 0 ? { answer_digests: answer.map(nameOfPart) } : {}),
    ...(tools === undefined ? {} : { tools_offered: toOffer(tools) }),
  });
}

/** The name by which the record of a call refers to a part of its conversation. */
function nameOfPart({ facts }: PartDraft): string {
  return `${facts.source_event} ${facts.tool_use_id ?? facts.body_sha256 ?? ''}`;
}

function toOffer(tools: JsonValue): JsonObject {
  const names = Array.isArray(tools)
    ? (tools as readonly JsonValue[]).flatMap((tool) => nameOfTool(tool) ?? [])
    : [];
  return { sha256: digestItem(tools), names };
}

function nameOfTool(tool: JsonValue): string | undefined {
  return textAt(tool, 'name') ?? textAt(tool, 'function', 'name');
}
