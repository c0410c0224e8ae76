import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { PolicyOutcome } from '../../../schemas/record.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { gatewaySource } from './gateway-source.ts';
import { openMembers, toExactInstant } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt, type PossibleFacts } from '../../drafts/nested.ts';
import { readExchange } from './exchange.ts';
import { toGatewayDrafts, type GatewayCall } from './gateway-call.ts';
import { toUnknownDraft } from './observed.ts';
import { epochMillisToInstant, epochSecondsToInstant, toMicros } from './units.ts';

const GATEWAY = 'cloudflare';

/**
 * Logs of Cloudflare's AI Gateway, from its API (snake case) and from Logpush (`ai_gateway_events`, names in
 * capitals). The columns of Logpush are not documented in full. Bodies that are encrypted with a key of the customer
 * stay as they are. Written from the documents; none was recorded.
 */
export const cloudflare = gatewaySource({
  name: GATEWAY,
  title: 'Cloudflare AI Gateway, logs',
  sessionOf: (value) => sessionOf(metadataOf(value)),
  toDrafts: (envelope, value) =>
    either(value, 'model', 'Model') === undefined && either(value, 'provider', 'Provider') === undefined
      ? [toUnknownDraft(envelope, GATEWAY, value)]
      : toGatewayDrafts(envelope, GATEWAY, value, readCall(value)),
});

function either(value: JsonObject, ...names: string[]): JsonValue | undefined {
  const name = names.find((one) => (valueAt(value, one) ?? null) !== null);
  return name === undefined ? undefined : valueAt(value, name);
}

/** The operator's keys of `cf-aig-metadata`; empty if they are encrypted. */
function metadataOf(value: JsonObject): JsonObject {
  const metadata = parsedText(either(value, 'metadata', 'Metadata'));
  return isJsonObject(metadata) && !isEncrypted(metadata) ? metadata : {};
}

function isEncrypted(body: JsonValue | undefined): boolean {
  return ['key', 'iv', 'data'].every((name) => typeof valueAt(body, name) === 'string');
}

function sessionOf(metadata: JsonObject): string | undefined {
  return openMembers(metadata).text('session_id', 'session', 'x-claude-code-session-id');
}

const PEOPLE = ['user_email', 'email', 'user_id', 'userId', 'user'] as const;

function peopleFacts(value: JsonObject): PossibleFacts {
  const metadata = metadataOf(value);
  const person = PEOPLE.find((name) => textAt(metadata, name) !== undefined);
  return {
    session_id: sessionOf(metadata),
    claimed_user: person === undefined ? undefined : textAt(metadata, person),
    claimed_user_source: person === undefined ? undefined : `metadata.${person}`,
    team_id: openMembers(metadata).text('team_id', 'team'),
  };
}

/** An encrypted body cannot be read as a conversation and stays in the item. */
function readCall(value: JsonObject): GatewayCall {
  const { messages, answer, tools, rest } = readExchange(value, {
    sent: ['request', 'RequestBody'],
    got: ['response', 'ResponseBody'],
  });
  const success = successOf(value);
  return {
    event: textAt(value, 'request_type') ?? textAt(value, 'model_type') ?? 'ai_gateway_event',
    has_failed: success === false,
    facts: toFacts(value, success),
    ...{ messages, answer, tools, rest },
  };
}

function toFacts(value: JsonObject, success: boolean | undefined): GatewayCall['facts'] {
  const members = openMembers(value);
  const status = members.text('status_code', 'StatusCode');
  return statedFacts({
    ...peopleFacts(value),
    occurred_at: occurredAt(value),
    duration_ms: members.count('duration', 'Duration'),
    request_id: members.text('id', 'ID', 'Id'),
    provider: members.text('provider', 'Provider'),
    model: members.text('model', 'Model'),
    input_tokens: members.count('tokens_in', 'TokensIn'),
    output_tokens: members.count('tokens_out', 'TokensOut'),
    cost_usd_micros: toMicros(either(value, 'cost', 'Cost')),
    success,
    error_type: success === false ? status : undefined,
    policy_outcome: policyOf(value, status),
  });
}

/** The flag, or the HTTP status if the flag is absent. */
function successOf(value: JsonObject): boolean | undefined {
  const members = openMembers(value);
  const status = members.count('status_code', 'StatusCode');
  return members.flag('success', 'Success') ?? (status === undefined ? undefined : status < 400);
}

/** The status of a request whose prompt or answer was stopped because of the data in it. */
const STOPPED_STATUS = '424';

function policyOf(value: JsonObject, status: string | undefined): PolicyOutcome | undefined {
  const action = openMembers(value).text('dlp_action', 'DlpAction', 'DLPAction')?.toLowerCase();
  if (status === STOPPED_STATUS || action === 'block') return 'block';
  if (action === 'flag') return 'warn';
  return action === 'allow' || action === 'none' ? 'allow' : undefined;
}

/** Logpush writes times as text, or as nanoseconds, milliseconds or seconds since 1970, which differ in magnitude. */
function occurredAt(value: JsonObject): string | undefined {
  const time = either(value, 'created_at', 'Datetime', 'Timestamp');
  const text = instantAt({ time: time ?? null }, 'time');
  if (text !== undefined || typeof time !== 'number') return text;
  if (time >= 1e17) return toExactInstant(time);
  return time >= 1e11 ? epochMillisToInstant(time) : epochSecondsToInstant(time);
}
