import { isJsonObject, type JsonObject } from '../../../schemas/json.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { gatewaySource } from './gateway-source.ts';
import { openMembers } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt, type PossibleFacts } from '../../drafts/nested.ts';
import { readExchange } from './exchange.ts';
import { toGatewayDrafts, type GatewayCall } from './gateway-call.ts';
import { toUnknownDraft } from './observed.ts';

const GATEWAY = 'portkey';

/**
 * Rows of Portkey's log export (portkey.ai, "Logs Export"), one object per call. The operator chooses the columns of
 * an export, so no column is required. Portkey's spans arrive by OTLP instead. Written from the documents; none was
 * recorded.
 */
export const portkey = gatewaySource({
  name: GATEWAY,
  title: 'Portkey, log export',
  sessionOf: (value) => sessionOf(metadataOf(value)),
  toDrafts: (envelope, value) =>
    ['ai_model', 'request', 'request.body'].every((name) => valueAt(value, name) === undefined)
      ? [toUnknownDraft(envelope, GATEWAY, value)]
      : toGatewayDrafts(envelope, GATEWAY, value, readCall(value)),
});

function metadataOf(value: JsonObject): JsonObject {
  const metadata = parsedText(valueAt(value, 'metadata'));
  return isJsonObject(metadata) ? metadata : {};
}

function sessionOf(metadata: JsonObject): string | undefined {
  return openMembers(metadata).text('session_id', 'x-claude-code-session-id');
}

/** `_user` is the name that Portkey reserves for the person. */
const PEOPLE = ['_user', 'user_email', 'user_id', 'user'] as const;

function peopleFacts(value: JsonObject): PossibleFacts {
  const metadata = metadataOf(value);
  const person = PEOPLE.find((name) => textAt(metadata, name) !== undefined);
  return {
    session_id: sessionOf(metadata),
    claimed_user: person === undefined ? undefined : textAt(metadata, person),
    claimed_user_source: person === undefined ? undefined : `metadata.${person}`,
    team_id: openMembers(metadata).text('_team', 'team_id', 'team'),
    organization_id: openMembers(value).text('workspace_slug', 'organisation_id'),
    virtual_key: openMembers(value).text('virtual_key', 'api_key_id'),
  };
}

function readCall(value: JsonObject): GatewayCall {
  const { messages, answer, tools, model, rest } = readExchange(value, {
    sent: ['request', 'request.body'],
    got: ['response', 'response.body'],
  });
  const success = successOf(value);
  return {
    event: openMembers(value).text('mode', 'request_method') ?? 'log',
    has_failed: success === false,
    facts: statedFacts({ ...toFacts(value, success), ...(model === undefined ? {} : { model }) }),
    ...{ messages, answer, tools, rest },
  };
}

function toFacts(value: JsonObject, success: boolean | undefined): PossibleFacts {
  const members = openMembers(value);
  const status = members.text('response_status_code');
  return {
    ...peopleFacts(value),
    occurred_at: instantAt(value, 'created_at'),
    duration_ms: members.count('response_time'),
    request_id: members.text('id'),
    trace_id: members.text('trace_id'),
    provider: members.text('ai_org'),
    model: members.text('ai_model'),
    input_tokens: members.count('req_units'),
    output_tokens: members.count('res_units'),
    cost_usd_micros: costOf(value),
    success,
    error_type: success === false ? status : undefined,
    policy_outcome: POLICY_STATUS.get(status ?? ''),
  };
}

/** The flag, which an export writes as 1 or 0, or the HTTP status if the flag is absent. */
function successOf(value: JsonObject): boolean | undefined {
  const members = openMembers(value);
  const flag = members.text('is_success')?.toLowerCase();
  if (flag !== undefined) return flag === '1' || flag === 'true';
  const status = members.count('response_status_code');
  return status === undefined ? undefined : status < 400;
}

/** Status codes of its guardrails: 446 if they denied the request, 246 if they failed and let it pass. */
const POLICY_STATUS: ReadonlyMap<string, 'block' | 'warn'> = new Map([
  ['446', 'block'],
  ['246', 'warn'],
]);

/** Exports give the cost in cents. */
const CENT_MICROS = 10_000;

/** The cost, if it is in dollars. Another currency stays in the content. */
function costOf(value: JsonObject): number | undefined {
  const cost = valueAt(value, 'cost');
  const currency = textAt(value, 'cost_currency');
  if (typeof cost !== 'number' || !(cost >= 0) || (currency !== undefined && currency !== 'USD'))
    return undefined;
  const micros = Math.round(cost * CENT_MICROS);
  return Number.isSafeInteger(micros) ? micros : undefined;
}
