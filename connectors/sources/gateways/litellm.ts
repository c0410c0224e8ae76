import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts, PolicyOutcome } from '../../../schemas/record.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { gatewaySource } from './gateway-source.ts';
import { omitMembers, openMembers, setFact, type Members } from '../../drafts/members.ts';
import { objectAt } from '../../drafts/nested.ts';
import { readAnswer, readTurns } from './exchange.ts';
import { toGatewayDrafts, type GatewayCall } from './gateway-call.ts';
import { epochSecondsToInstant, toMicros } from './units.ts';

const GATEWAY = 'litellm';
const SESSION_HEADER = 'x-claude-code-session-id';

/**
 * LiteLLM's generic callback (`callbacks: [generic_api]`): an array of StandardLoggingPayload objects, one per call
 * of a model. Recorded with LiteLLM 1.106.2. `messages` is the whole conversation so far.
 */
export const litellm = gatewaySource({
  name: GATEWAY,
  title: 'LiteLLM, generic callback',
  sessionOf: (value) => openItem(value).session(),
  countOf: (value) =>
    1 + readTurns(value['messages']).length + (readAnswer(value['response'])?.answer.length ?? 0),
  toDrafts: (envelope, value) => toGatewayDrafts(envelope, GATEWAY, value, readCall(value)),
});

/** The parts of an item that several facts are read from. */
interface Item {
  readonly value: JsonObject;
  readonly members: Members;
  readonly metadata: JsonObject;
  /** The caller as Claude Code names it: JSON text in the member for the end user. */
  readonly client: () => JsonObject;
  readonly session: () => string | undefined;
}

function openItem(value: JsonObject): Item {
  const metadata = objectAt(value, 'metadata');
  const headers = objectAt(metadata, 'requester_custom_headers');
  const members = openMembers(value);
  let client: JsonObject | undefined;
  const clientOf = () =>
    (client ??= parsedObject(value['end_user']) ?? parsedObject(metadata['user_api_key_end_user_id']) ?? {});
  return {
    value,
    members,
    metadata,
    client: clientOf,
    session: () =>
      openMembers(headers).text(SESSION_HEADER) ??
      openMembers(clientOf()).text('session_id') ??
      members.text('session_id'),
  };
}

function readCall(value: JsonObject): GatewayCall {
  const item = openItem(value);
  const { members } = item;
  const parameters = objectAt(value, 'model_parameters');
  const { tools, ...settings } = parameters;
  const { response = null } = value;
  const read = readAnswer(response);
  const carried = new Set(['messages', 'response', 'model_parameters']);
  return {
    event: members.text('call_type') ?? 'unnamed',
    has_failed: value['status'] === 'failure',
    facts: toFacts(item),
    messages: readTurns(value['messages']),
    answer: read?.answer ?? [],
    tools,
    rest: {
      ...omitMembers(value, carried),
      ...(Object.keys(settings).length > 0 ? { model_parameters: settings } : {}),
      ...(response === null ? {} : { response: read?.rest ?? response }),
    },
  };
}

function toFacts(item: Item): GatewayCall['facts'] {
  const { value, members, metadata, client, session } = item;
  const key = openMembers(metadata);
  const facts: Partial<StatedFacts> = {};
  const set = <Name extends keyof StatedFacts>(name: Name, fact: StatedFacts[Name] | undefined) =>
    setFact(facts as StatedFacts, name, fact);
  set('occurred_at', epochSecondsToInstant(value['startTime']));
  set('duration_ms', toDurationMs(value['startTime'], value['endTime']));
  set('session_id', session());
  set('trace_id', members.text('trace_id'));
  set('request_id', members.text('litellm_call_id', 'id'));
  set('message_id', members.text('id'));
  set('model', openMembers(objectAt(value, 'response')).text('model') ?? members.text('model'));
  set('provider', members.text('custom_llm_provider'));
  set('virtual_key', key.text('user_api_key_alias', 'user_api_key_hash'));
  set('organization_id', key.text('user_api_key_org_id'));
  set('team_id', key.text('user_api_key_team_id', 'team_id'));
  set('install_id', openMembers(client()).text('device_id'));
  setPerson(facts, item);
  setUsage(facts, item);
  set('success', value['status'] === 'success' ? true : value['status'] === 'failure' ? false : undefined);
  set('error_type', openMembers(objectAt(value, 'error_information')).text('error_class', 'error_code'));
  set('policy_outcome', policyOf(value));
  return facts;
}

const PERSON_MEMBERS = ['user_api_key_user_email', 'user_api_key_user_id'] as const;

function setPerson(facts: Partial<StatedFacts>, { metadata, value, client }: Item): void {
  const members = openMembers(metadata);
  const name = PERSON_MEMBERS.find((one) => members.text(one) !== undefined);
  if (name !== undefined) {
    facts.claimed_user = members.text(name) ?? '';
    facts.claimed_user_source = `metadata.${name}`;
    return;
  }
  const endUser = openMembers(value).text('end_user');
  if (endUser === undefined || Object.keys(client()).length > 0) return;
  facts.claimed_user = endUser;
  facts.claimed_user_source = 'end_user';
}

/** The gateway counts cached tokens among those of the prompt; the facts count them separately. */
function setUsage(facts: Partial<StatedFacts>, { members, metadata, value }: Item): void {
  const usage = openMembers(objectAt(metadata, 'usage_object'));
  const read = usage.count('cache_read_input_tokens');
  const created = usage.count('cache_creation_input_tokens');
  const prompt = members.count('prompt_tokens');
  if (prompt !== undefined) facts.input_tokens = Math.max(prompt - (read ?? 0) - (created ?? 0), 0);
  setFact(facts as StatedFacts, 'output_tokens', members.count('completion_tokens'));
  setFact(facts as StatedFacts, 'cache_read_tokens', read);
  setFact(facts as StatedFacts, 'cache_creation_tokens', created);
  setFact(facts as StatedFacts, 'cost_usd_micros', toMicros(value['response_cost']));
}

/** The outcome of the guardrails; undefined if none ran. */
function policyOf(value: JsonObject): PolicyOutcome | undefined {
  const guardrail = objectAt(value, 'status_fields')['guardrail_status'];
  if (guardrail === 'guardrail_failed_to_respond') return 'failed_open';
  if (guardrail === 'guardrail_intervened' && value['status'] === 'failure') return 'block';
  if (hasMasked(value['guardrail_information'])) return 'redact';
  if (guardrail === 'guardrail_intervened') return 'warn';
  return guardrail === 'success' ? 'allow' : undefined;
}

function hasMasked(information: JsonValue | undefined): boolean {
  const list = Array.isArray(information) ? (information as readonly JsonValue[]) : [information ?? null];
  return list.some((one) =>
    Object.values(objectAt(one, 'masked_entity_count')).some(
      (count) => typeof count === 'number' && count > 0,
    ),
  );
}

function toDurationMs(start: JsonValue | undefined, end: JsonValue | undefined): number | undefined {
  if (typeof start !== 'number' || typeof end !== 'number' || end < start) return undefined;
  const millis = Math.round((end - start) * 1000);
  return Number.isSafeInteger(millis) ? millis : undefined;
}

function parsedObject(text: JsonValue | undefined): JsonObject | undefined {
  const parsed = parsedText(text);
  return isJsonObject(parsed) ? parsed : undefined;
}
