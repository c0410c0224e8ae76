/** Traces that Bifrost puts into Kafka: one JSON object with all spans of a request. */
import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { omitMembers } from '../../drafts/members.ts';
import {
  instantAt,
  objectAt,
  statedFacts,
  textAt,
  valueAt,
  type PossibleFacts,
} from '../../drafts/nested.ts';
import { toGatewayDrafts } from './gateway-call.ts';
import { isGenAiSpan, readGenAiSpan } from './genai-span.ts';
import { toGatewayEventDraft } from './observed.ts';

export function isBifrostTrace(value: JsonObject): boolean {
  return textAt(value, 'TraceID') !== undefined && Array.isArray(valueAt(value, 'Spans'));
}

export function sessionOfTrace(value: JsonObject): string | undefined {
  const header = textAt(value, 'RequestHeaders', 'x-bf-session-id');
  if (header !== undefined) return header;
  const sessions = spansOf(value).map(
    (span) =>
      textAt(span, 'Attributes', 'session.id') ?? textAt(span, 'Attributes', 'gen_ai.conversation.id'),
  );
  return sessions.find((session) => session !== undefined);
}

/**
 * One record for the request, with the facts that its spans share, and one for each span. A span that is a model call
 * is read like every other call.
 */
export function toTraceDrafts(envelope: Envelope, gateway: string, value: JsonObject): DraftRecord[] {
  const shared = sharedFacts(value);
  const request = toGatewayEventDraft(envelope, gateway, value, {
    type: 'span.observed',
    event: 'trace',
    facts: { ...shared, occurred_at: instantAt(value, 'StartTime') },
    content: {
      ...omitMembers(value, new Set(['Spans'])),
      ...ifOdd((valueAt(value, 'Spans') as readonly JsonValue[]).filter((span) => !isJsonObject(span))),
    },
  });
  return [request, ...spansOf(value).flatMap((span) => toSpanDrafts(envelope, gateway, span, shared))];
}

function ifOdd(spans: readonly JsonValue[]): JsonObject {
  return spans.length === 0 ? {} : { Spans: spans };
}

function spansOf(value: JsonObject): readonly JsonObject[] {
  const spans = valueAt(value, 'Spans');
  return Array.isArray(spans) ? (spans as readonly JsonValue[]).filter(isJsonObject) : [];
}

function sharedFacts(value: JsonObject): PossibleFacts {
  const attributes = spansOf(value).map((span) => objectAt(span, 'Attributes'));
  const said = (name: string) =>
    attributes.map((one) => textAt(one, name)).find((text) => text !== undefined);
  const sources = ['bifrost.user.id', 'bifrost.user.email', 'bifrost.user.name'];
  const source = sources.find((name) => said(name) !== undefined);
  return {
    session_id: sessionOfTrace(value),
    trace_id: textAt(value, 'TraceID'),
    request_id: textAt(value, 'RequestID'),
    claimed_user: source === undefined ? undefined : said(source),
    claimed_user_source: source,
    virtual_key: said('bifrost.virtual_key.name') ?? said('bifrost.virtual_key.id'),
    team_id: said('bifrost.team.id'),
    organization_id: said('bifrost.customer.id'),
  };
}

function toSpanDrafts(
  envelope: Envelope,
  gateway: string,
  span: JsonObject,
  shared: PossibleFacts,
): DraftRecord[] {
  const attributes = objectAt(span, 'Attributes');
  const name = textAt(span, 'Name') ?? 'span';
  const own = { ...shared, occurred_at: instantAt(span, 'StartTime'), span_id: textAt(span, 'SpanID') };
  if (!isGenAiSpan(attributes)) {
    return [
      toGatewayEventDraft(envelope, gateway, span, {
        type: 'span.observed',
        event: name,
        facts: own,
        content: span,
      }),
    ];
  }
  const call = readGenAiSpan(name, attributes);
  const rest = { ...omitMembers(span, new Set(['Attributes'])), Attributes: call.rest };
  const facts = { ...call.facts, ...statedFacts(own) };
  return toGatewayDrafts(envelope, gateway, span, { ...call, facts, rest });
}
