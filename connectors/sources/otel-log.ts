import type { JsonObject, JsonValue } from '../../schemas/json.ts';
import type { Facts } from '../../schemas/record.ts';
import type { DraftRecord } from '../source.ts';
import { omitMembers, toExactInstant, toFacts } from './members.ts';
import { logEventType, reasonAttribute } from './otel-events.ts';
import {
  integerText,
  nameOf,
  readClaudeCodeFacts,
  readCommonFacts,
  said,
  toOtelContent,
  type OtelEvent,
} from './otel-facts.ts';

/** One log record as a draft. */
export function toLogDraft(event: OtelEvent): DraftRecord {
  const { item, members, isClaudeCode } = event;
  const name = eventName(event);
  const stamped = members.text('event.timestamp');
  const facts = toFacts({
    ...readCommonFacts(event),
    source_event: name,
    collector: event.envelope.principal,
    occurred_at: occurredAt(item.record, stamped),
    ...(isClaudeCode ? readLogFacts(event, name) : {}),
  });
  const sequence = integerText(facts.event_sequence);
  const time = stamped ?? integerText(item.record['timeUnixNano']);
  const session = facts.session_id ?? '';
  return {
    type: isClaudeCode ? logEventType(name) : 'event.observed',
    source: 'otel',
    natural_key: ['otel-log', session, sequence, time, name, event.digest],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toOtelContent(event, leftOver(item.record, facts, stamped)),
  };
}

/** The field of later OTLP versions first, then the attribute, then a body that is only a name. */
function eventName({ item, members }: OtelEvent): string {
  const name = nameOf(item.record['eventName']) ?? members.text('event.name') ?? nameOf(item.record['body']);
  return (name ?? 'unnamed').replace(/^claude_code\./, '');
}

/** The event's own time; where it has none, the time at which it was observed. */
function occurredAt(record: JsonObject, stamped: string | undefined): string | undefined {
  const isInstant = stamped !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(stamped);
  const claimed = isInstant ? stamped : undefined;
  return toExactInstant(record['timeUnixNano']) ?? claimed ?? toExactInstant(record['observedTimeUnixNano']);
}

function readLogFacts(event: OtelEvent, name: string): Partial<Facts> {
  const { members } = event;
  const reason = reasonAttribute(name);
  return {
    ...readClaudeCodeFacts(event),
    ...said({
      decision_source: name === 'tool_decision' ? members.word('source') : members.word('decision_source'),
      reason: reason === undefined ? undefined : members.word(reason),
    }),
    ...(name === 'api_error' ? readApiError(event) : {}),
  };
}

/** An API error has no type of its own, only the status code of the answer, if there was one. */
function readApiError({ members }: OtelEvent): Partial<Facts> {
  return { success: false, ...said({ error_type: members.word('status_code') }) };
}

/** Members of the record that no fact says already. */
function leftOver(
  record: JsonObject,
  facts: Facts,
  stamped: string | undefined,
): Record<string, JsonValue | undefined> {
  const { eventName: given, timeUnixNano, observedTimeUnixNano } = record;
  const isTimeSaid = toExactInstant(timeUnixNano) === facts.occurred_at;
  const isSame = observedTimeUnixNano === timeUnixNano;
  const isObservedSaid = isSame ? isTimeSaid : toExactInstant(observedTimeUnixNano) === facts.occurred_at;
  return {
    ...omitMembers(record, 'attributes', 'unknown', 'traceId', 'spanId'),
    eventName: given === facts.source_event ? undefined : given,
    timeUnixNano: isTimeSaid ? undefined : timeUnixNano,
    observedTimeUnixNano: isObservedSaid ? undefined : observedTimeUnixNano,
    event_timestamp: stamped === facts.occurred_at ? undefined : stamped,
  };
}
