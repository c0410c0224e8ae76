/** Finds the gateway that sent a span or log record, and reads the gateway's own attributes. */
import { isJsonObject, type JsonObject } from '../../../schemas/json.ts';
import type { PolicyOutcome } from '../../../schemas/record.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { openMembers } from '../../drafts/members.ts';
import { textAt, type PossibleFacts } from '../../drafts/nested.ts';
import type { OtelEvent } from './otel-event.ts';

export interface OtelGateway {
  readonly name: string;
  /** Values of `service.name`, or names of the scope. */
  readonly services: readonly string[];
  /** Prefixes of this gateway's attributes. */
  readonly prefixes: readonly string[];
  readonly people: readonly string[];
  readonly keys: readonly string[];
  readonly teams: readonly string[];
  readonly organizations: readonly string[];
  readonly requests: readonly string[];
}

const NOTHING = { prefixes: [], people: [], keys: [], teams: [], organizations: [], requests: [] } as const;

/** LiteLLM 1.106.2 was recorded; the other entries follow the documents of the vendors. */
const GATEWAYS: readonly OtelGateway[] = [
  {
    name: 'litellm',
    services: ['litellm'],
    prefixes: ['litellm.'],
    people: ['metadata.user_api_key_user_email', 'metadata.user_api_key_user_id'],
    keys: ['metadata.user_api_key_alias', 'metadata.user_api_key_hash'],
    teams: ['metadata.user_api_key_team_id', 'metadata.team_id'],
    organizations: ['metadata.user_api_key_org_id'],
    requests: ['litellm.call_id'],
  },
  {
    name: 'bifrost',
    services: ['bifrost'],
    prefixes: ['bifrost.'],
    people: ['bifrost.user.id', 'bifrost.user.email', 'bifrost.user.name'],
    keys: ['bifrost.virtual_key.name', 'bifrost.virtual_key.id'],
    teams: ['bifrost.team.id'],
    organizations: ['bifrost.customer.id'],
    requests: ['bifrost.request.id'],
  },
  {
    ...NOTHING,
    name: 'truefoundry',
    services: ['tfy-llm-gateway'],
    prefixes: ['tfy.'],
    people: ['tfy.created_by_subject_slug', 'createdBySubjectSlug', 'created_by_subject_slug'],
  },
  {
    ...NOTHING,
    name: 'cloudflare',
    services: ['cloudflare-ai-gateway', 'ai-gateway'],
    prefixes: ['gen_ai.prompt_json', 'gen_ai.completion_json'],
    people: ['user_email', 'email', 'user_id', 'user'],
    teams: ['team', 'team_id'],
  },
  { ...NOTHING, name: 'portkey', services: ['portkey', 'custom.genai.instrumentation'] },
  { ...NOTHING, name: 'kong', services: ['kong', 'kong-gateway'] },
  { ...NOTHING, name: 'envoy', services: ['envoy-ai-gateway', 'ai-gateway-extproc'] },
  { ...NOTHING, name: 'agentgateway', services: ['agentgateway'], people: ['jwt.sub'] },
];

const MARKS = GATEWAYS.flatMap(({ services, prefixes }) => [...services, ...prefixes]).map((mark) =>
  Buffer.from(mark),
);
/** Escapes by which JSON may spell the letters, dots and dashes of these names; no common encoder uses them. */
const ESCAPES = ['6', '7', '2d', '2D', '2e', '2E', '5f', '5F'].map((code) => Buffer.from(`\\u00${code}`));

/** Whether a body can hold an item of a gateway. Most bodies cannot, and need no closer look. */
export function mayNameGateway(body: Uint8Array): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return [...MARKS, ...ESCAPES].some((mark) => bytes.includes(mark));
}

/** Undefined for any other emitter of such attributes, Claude Code included. */
export function gatewayOf({ attributes, item, isClaudeCode }: OtelEvent): OtelGateway | undefined {
  if (isClaudeCode) return undefined;
  const resource = item.resource['attributes'];
  const named = [textAt(resource, 'service.name'), textAt(item.scope, 'name')];
  const names = Object.keys(attributes);
  return (
    GATEWAYS.find(({ services }) => named.some((name) => name !== undefined && services.includes(name))) ??
    GATEWAYS.find(({ prefixes }) => names.some((name) => prefixes.some((prefix) => name.startsWith(prefix))))
  );
}

const GENERIC_PEOPLE = ['enduser.id', 'user.email', 'user.id'] as const;

/** StatedFacts about the caller. The gateway's own attributes come before those that all gateways share. */
export function gatewayFacts(gateway: OtelGateway, event: OtelEvent): PossibleFacts {
  const { attributes } = event;
  const members = openMembers(attributes);
  const resource = event.item.resource['attributes'];
  const shared = openMembers(isJsonObject(resource) ? resource : {});
  const client = clientOf(attributes);
  const person = [...gateway.people, ...GENERIC_PEOPLE].find((name) => members.text(name) !== undefined);
  const deployed = GENERIC_PEOPLE.find((name) => shared.text(name) !== undefined);
  const source = person ?? deployed;
  return {
    session_id:
      sessionHeaderOf(attributes) ??
      textAt(client, 'session_id') ??
      members.text('session.id', 'gen_ai.conversation.id') ??
      shared.text('session.id', 'gen_ai.conversation.id'),
    claimed_user: person === undefined ? shared.text(...GENERIC_PEOPLE) : members.text(person),
    claimed_user_source: source,
    install_id: textAt(client, 'device_id'),
    virtual_key: members.text(...gateway.keys),
    team_id: members.text(...gateway.teams, 'team.id'),
    organization_id: members.text(...gateway.organizations, 'organization.id'),
    request_id: members.text(...gateway.requests),
    policy_outcome: policyOf(event),
  };
}

/** LiteLLM writes the headers as Python prints a dictionary. */
const SESSION_HEADER = /['"](?:x-claude-code-session-id|x-bf-session-id)['"]: ?['"]([\w.:-]{1,200})['"]/;

function sessionHeaderOf(attributes: JsonObject): string | undefined {
  const headers = attributes['metadata.requester_custom_headers'];
  return typeof headers === 'string' ? SESSION_HEADER.exec(headers)?.[1] : undefined;
}

/** The caller as Claude Code names it. */
function clientOf(attributes: JsonObject): JsonObject {
  const client = parsedText(attributes['metadata.user_api_key_end_user_id']);
  return isJsonObject(client) ? client : {};
}

/** Status codes of guardrails: 446 if they denied the request, 246 if they failed and let it pass. */
const POLICY_STATUS: ReadonlyMap<string, PolicyOutcome> = new Map([
  ['446', 'block'],
  ['246', 'warn'],
]);

/** Undefined if the item does not mention a guardrail. */
function policyOf({ attributes, item }: OtelEvent): PolicyOutcome | undefined {
  const members = openMembers(attributes);
  if (members.text('error.type') === 'guardrail_violation') return 'block';
  const status = members.text('http.response.status_code') ?? textAt(item.record, 'status', 'message') ?? '';
  const answered = POLICY_STATUS.get(status);
  if (answered !== undefined) return answered;
  const triggered = parsedText(attributes['tfy.triggered_guardrail_fqns']);
  const hasTriggered = Array.isArray(triggered) && triggered.length > 0;
  return hasTriggered && members.text('tfy.error_type') !== undefined ? 'block' : undefined;
}
