import type { JsonObject } from '../../../schemas/json.ts';
import type { PolicyOutcome } from '../../../schemas/record.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { readMessage, type Block } from '../../drafts/conversation.ts';
import { gatewaySource } from './gateway-source.ts';
import { omitMembers } from '../../drafts/members.ts';
import {
  countAt,
  instantAt,
  objectAt,
  statedFacts,
  textAt,
  valueAt,
  type PossibleFacts,
} from '../../drafts/nested.ts';
import { isBifrostTrace, sessionOfTrace, toTraceDrafts } from './bifrost-trace.ts';
import { readTurns, structuredOf } from './exchange.ts';
import { toGatewayDrafts, type GatewayCall } from './gateway-call.ts';
import { toGatewayEventDraft, toUnknownDraft, type GatewayEvent } from './observed.ts';
import { toMicros } from './units.ts';

const GATEWAY = 'bifrost';

/**
 * Bifrost's rows of `logs` and `mcp_tool_logs` (framework/logstore/tables.go) and the traces that it puts into Kafka.
 * Written from its sources and documents; none was recorded. A column of JSON may hold JSON or JSON text.
 */
export const bifrost = gatewaySource({
  name: GATEWAY,
  title: 'Bifrost, logs and traces',
  sessionOf: (value) => (isBifrostTrace(value) ? sessionOfTrace(value) : sessionOfRow(value)),
  toDrafts: (envelope, value): DraftRecord[] => {
    if (isBifrostTrace(value)) return toTraceDrafts(envelope, GATEWAY, value);
    if (isToolRow(value)) return [toGatewayEventDraft(envelope, GATEWAY, value, readToolRow(value))];
    return isCallRow(value)
      ? toGatewayDrafts(envelope, GATEWAY, value, readCallRow(value))
      : [toUnknownDraft(envelope, GATEWAY, value)];
  },
});

function isToolRow(value: JsonObject): boolean {
  return textAt(value, 'tool_name') !== undefined && ('arguments' in value || 'server_label' in value);
}

function isCallRow(value: JsonObject): boolean {
  return textAt(value, 'model') !== undefined && textAt(value, 'provider') !== undefined;
}

const SESSION_NAMES = ['x-bf-session-id', 'session_id', 'x-claude-code-session-id'] as const;

function sessionOfRow(value: JsonObject): string | undefined {
  const metadata = parsedText(valueAt(value, 'metadata'));
  const names = SESSION_NAMES.map((name) => textAt(value, name) ?? textAt(metadata, name));
  return names.find((name) => name !== undefined);
}

/** StatedFacts about the caller, the same for both kinds of rows. */
function commonFacts(value: JsonObject): PossibleFacts {
  const id = textAt(value, 'user_id');
  const user = id ?? textAt(value, 'user_name');
  const source = id === undefined ? 'user_name' : 'user_id';
  return {
    occurred_at: instantAt(value, 'timestamp') ?? instantAt(value, 'created_at'),
    session_id: sessionOfRow(value),
    claimed_user: user,
    claimed_user_source: user === undefined ? undefined : source,
    virtual_key: textAt(value, 'virtual_key_name') ?? textAt(value, 'virtual_key_id'),
    team_id: textAt(value, 'team_id'),
    organization_id: textAt(value, 'customer_id'),
    department: textAt(value, 'business_unit_name') ?? textAt(value, 'business_unit_id'),
    duration_ms: countAt(value, 'latency'),
    cost_usd_micros: toMicros(valueAt(value, 'cost')),
    success: successOf(value),
    error_type: errorTypeOf(value),
  };
}

/** A row that is still processing has no outcome. */
function successOf(value: JsonObject): boolean | undefined {
  const status = valueAt(value, 'status');
  if (status === 'success' || status === 'warning') return true;
  return status === 'error' ? false : undefined;
}

function errorTypeOf(value: JsonObject): string | undefined {
  const details = parsedText(valueAt(value, 'error_details'));
  return textAt(details, 'error', 'type') ?? textAt(details, 'type') ?? textAt(details, 'status_code');
}

const CONVERSATION: readonly string[] = [
  'input_history',
  'responses_input_history',
  'output_message',
  'responses_output',
  'tools',
];

function readCallRow(value: JsonObject): GatewayCall {
  const at = (name: string) => parsedText(valueAt(value, name));
  const messages = [...readTurns(at('input_history')), ...readTurns(at('responses_input_history'))];
  const output = at('output_message');
  const answer = [
    ...readMessage({ role: 'assistant', ...objectAt(output) }),
    ...readTurns(at('responses_output'), 'assistant'),
  ];
  const usage = objectAt(at('token_usage'));
  const read =
    countAt(usage, 'prompt_tokens_details', 'cached_tokens') ??
    countAt(usage, 'prompt_tokens_details', 'cached_read_tokens');
  const prompt = countAt(usage, 'prompt_tokens');
  return {
    event: textAt(value, 'object_type') ?? textAt(value, 'object') ?? 'log',
    has_failed: valueAt(value, 'status') === 'error',
    facts: statedFacts({
      ...commonFacts(value),
      request_id: textAt(value, 'id'),
      trace_id: textAt(value, 'parent_request_id'),
      provider: textAt(value, 'provider'),
      model: textAt(value, 'model'),
      // Bifrost counts cached tokens among those of the prompt.
      input_tokens: prompt === undefined ? undefined : Math.max(prompt - (read ?? 0), 0),
      output_tokens: countAt(usage, 'completion_tokens'),
      cache_read_tokens: read,
      policy_outcome: policyOf(value, [...messages, ...answer]),
    }),
    messages,
    answer,
    tools: at('tools'),
    rest: omitMembers(value, structuredOf(value, CONVERSATION)),
  };
}

const BLOCKED_STATUS = '446';
const WARNED_STATUS = '246';
/**
 * Placeholders by which the guardrails replace personal data. Only known names count, because people write [ABC-1]
 * too.
 */
const PLACEHOLDER =
  /\[(?:EMAIL|EMAIL_ADDRESS|PHONE|PHONE_NUMBER|PERSON|NAME|SSN|US_SSN|CREDIT_CARD|IBAN|IP_ADDRESS|ADDRESS|LOCATION|API_KEY|PASSWORD|SECRET)-[0-9]{1,4}\]/;

/** Undefined if the row does not mention a guardrail. */
function policyOf(value: JsonObject, blocks: readonly Block[]): PolicyOutcome | undefined {
  const details = parsedText(valueAt(value, 'error_details'));
  const status = textAt(details, 'status_code') ?? textAt(value, 'status_code');
  if (status === BLOCKED_STATUS || errorTypeOf(value) === 'guardrail_violation') return 'block';
  if (status === WARNED_STATUS || valueAt(value, 'status') === 'warning') return 'warn';
  if (blocks.some((block) => block.kind === 'text' && PLACEHOLDER.test(block.text))) return 'redact';
  return Object.keys(objectAt(value, 'extra_fields', 'guardrails')).length > 0 ? 'allow' : undefined;
}

const TOOL_PARTS: ReadonlySet<string> = new Set(['tool_name', 'arguments', 'result']);

function readToolRow(value: JsonObject): GatewayEvent {
  const success = successOf(value);
  const ended = success === true ? 'tool.completed' : 'tool.failed';
  return {
    type: success === undefined ? 'tool.requested' : ended,
    event: 'mcp_tool_log',
    facts: {
      ...commonFacts(value),
      request_id: textAt(value, 'llm_request_id') ?? textAt(value, 'id'),
      tool_name: textAt(value, 'tool_name'),
      mcp_server: textAt(value, 'server_label'),
    },
    content: {
      ...omitMembers(value, TOOL_PARTS),
      tool_input: parsedText(valueAt(value, 'arguments')) ?? null,
      ...(valueAt(value, 'result') === undefined
        ? {}
        : { tool_response: parsedText(valueAt(value, 'result')) ?? null }),
    },
  };
}
