import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { gatewaySource } from './gateway-source.ts';
import { omitMembers, openMembers } from '../../drafts/members.ts';
import { countAt, objectAt, statedFacts, textAt, valueAt, type PossibleFacts } from '../../drafts/nested.ts';
import { readAnswer, readRequest } from './exchange.ts';
import { toGatewayDrafts, type GatewayCall } from './gateway-call.ts';
import { readMcpEntries } from './kong-mcp.ts';
import { toGatewayEventDraft, toUnknownDraft } from './observed.ts';
import { epochMillisToInstant, toMicros } from './units.ts';

const GATEWAY = 'kong';

/**
 * Log lines of Kong's gateway with an `ai` member, from any plugin (developer.konghq.com, "AI audit log reference").
 * Written from the documents; none was recorded.
 */
export const kong = gatewaySource({
  name: GATEWAY,
  title: 'Kong, log lines with `ai`',
  sessionOf,
  toDrafts: (envelope, value): DraftRecord[] => {
    const plugin = findModelPlugin(value);
    const entries = readMcpEntries(value, commonFacts(value));
    const isCall = plugin !== undefined;
    const first = isCall
      ? toGatewayDrafts(envelope, GATEWAY, value, readCall(value, plugin, entries.length > 0))
      : [];
    const calls = entries.map((entry) => toGatewayEventDraft(envelope, GATEWAY, entry.item, entry));
    if (isCall) return [...first, ...calls];
    const rest = entries.length > 0 ? withoutMcp(value) : value;
    return [
      { ...toUnknownDraft(envelope, GATEWAY, rest), ...observedFacts(envelope.principal, value) },
      ...calls,
    ];
  },
});

function observedFacts(collector: string, value: JsonObject): Pick<DraftRecord, 'facts' | 'claimed_subject'> {
  const facts = statedFacts(commonFacts(value));
  return {
    facts: { ...facts, source_event: 'request', collector, gateway: GATEWAY },
    claimed_subject: facts.claimed_user ?? null,
  };
}

function sessionOf(value: JsonObject): string | undefined {
  return textAt(value, 'request', 'headers', 'x-claude-code-session-id');
}

/** The name of the part of `ai` that describes a model. Guards and caches have other parts. */
function findModelPlugin(value: JsonObject): string | undefined {
  const ai = objectAt(value, 'ai');
  return Object.keys(ai).find((name) =>
    ['request_model', 'response_model', 'provider_name'].some(
      (member) => textAt(ai, name, 'meta', member) !== undefined,
    ),
  );
}

const PEOPLE = [
  ['consumer', 'username'],
  ['consumer', 'custom_id'],
  ['authenticated_entity', 'consumer_id'],
] as const;

function commonFacts(value: JsonObject): PossibleFacts {
  const person = PEOPLE.find((path) => textAt(value, ...path) !== undefined);
  const status = countAt(value, 'response', 'status');
  return {
    occurred_at: epochMillisToInstant(valueAt(value, 'started_at')),
    duration_ms: countAt(value, 'latencies', 'request'),
    session_id: sessionOf(value),
    request_id: textAt(value, 'request', 'id'),
    claimed_user: person === undefined ? undefined : textAt(value, ...person),
    claimed_user_source: person?.join('.'),
    virtual_key: textAt(value, 'authenticated_entity', 'id'),
    success: status === undefined ? undefined : status < 400,
    error_type: status !== undefined && status >= 400 ? String(status) : undefined,
  };
}

function readCall(value: JsonObject, plugin: string, hasMcp: boolean): GatewayCall {
  const sent =
    valueAt(value, 'ai', plugin, 'payload', 'request') ?? valueAt(value, 'ai', 'payload', 'request');
  const got =
    valueAt(value, 'ai', plugin, 'payload', 'response') ?? valueAt(value, 'ai', 'payload', 'response');
  const request = readRequest(sent);
  const answer = readAnswer(got);
  const gone = { request: request !== undefined, response: answer !== undefined };
  return {
    event: `ai.${plugin}`,
    has_failed: commonFacts(value).success === false,
    facts: statedFacts({ ...commonFacts(value), ...modelFacts(objectAt(value, 'ai', plugin)) }),
    messages: request?.messages ?? [],
    answer: answer?.answer ?? [],
    tools: request?.tools,
    rest: {
      ...withoutPayloads(hasMcp ? withoutMcp(value) : value, plugin, gone),
      ...(request === undefined ? {} : { request_payload: request.rest }),
      ...(answer === undefined ? {} : { response_payload: answer.rest }),
    },
  };
}

/** Some releases write the names of counts in the singular. */
function modelFacts(ai: JsonObject): PossibleFacts {
  const meta = openMembers(objectAt(ai, 'meta'));
  const usage = openMembers(objectAt(ai, 'usage'));
  return {
    provider: meta.text('provider_name'),
    model: meta.text('response_model', 'request_model'),
    input_tokens: usage.count('prompt_tokens', 'prompt_token'),
    output_tokens: usage.count('completion_tokens', 'completion_token'),
    cost_usd_micros: toMicros(valueAt(ai, 'usage', 'cost')),
  };
}

/** The line without the bodies that were read. Unread bodies stay. */
function withoutPayloads(
  value: JsonObject,
  plugin: string,
  read: { readonly request: boolean; readonly response: boolean },
): JsonObject {
  const gone = new Set([...(read.request ? ['request'] : []), ...(read.response ? ['response'] : [])]);
  const strip = (holder: JsonValue | undefined): JsonObject => {
    const object = isJsonObject(holder) ? holder : {};
    const payload = valueAt(object, 'payload');
    return isJsonObject(payload) ? { ...object, payload: omitMembers(payload, gone) } : object;
  };
  const ai = strip(valueAt(value, 'ai'));
  return { ...value, ai: { ...ai, [plugin]: strip(valueAt(ai, plugin)) } };
}

function withoutMcp(value: JsonObject): JsonObject {
  return { ...value, ai: omitMembers(objectAt(value, 'ai'), new Set(['mcp'])) };
}
