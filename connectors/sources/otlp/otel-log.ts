import type { JsonObject } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { setPart, setFact, toExactInstant, copyWithout, type ContentParts } from '../../drafts/members.ts';
import { toOtelContent } from './otel-content.ts';
import type { OtelEvent } from './otel-event.ts';
import { logEventType, reasonAttribute } from './otel-events.ts';
import { integerText, nameOf, openOtelFacts, setClaudeCodeFacts } from './otel-facts.ts';

/** One log record as a draft. */
export function toLogDraft(event: OtelEvent): DraftRecord {
  const { item, members, isClaudeCode } = event;
  const name = eventName(event);
  const times = timesOf(item.record, members.text('event.timestamp'));
  const facts = openOtelFacts(event, name);
  setFact(facts, 'occurred_at', times.time ?? times.claimed ?? times.observed);
  if (isClaudeCode) setLogFacts(facts, event);
  const sequence = integerText(facts.event_sequence);
  const time = times.stamped ?? integerText(item.record['timeUnixNano']);
  const session = facts.session_id ?? '';
  return {
    type: isClaudeCode ? logEventType(name) : 'event.observed',
    source: 'otel',
    natural_key: ['otel-log', session, sequence, time, name, event.digest],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toOtelContent(event, leftOver(item.record, facts, times)),
  };
}

/** The name from the field of later OTLP versions, else from the attribute, else from a body that is only a name. */
function eventName({ item, members }: OtelEvent): string {
  const name = nameOf(item.record['eventName']) ?? members.text('event.name') ?? nameOf(item.record['body']);
  return (name ?? 'unnamed').replace(/^claude_code\./, '');
}

/** The times that a log record carries. */
interface Times {
  /** The event's own time. */
  readonly time: string | undefined;
  /** The time attribute as sent; `claimed` is the same value if it is an instant. */
  readonly stamped: string | undefined;
  readonly claimed: string | undefined;
  /** The time at which the event was observed, for a record without another time. */
  readonly observed: string | undefined;
}

function timesOf({ timeUnixNano, observedTimeUnixNano }: JsonObject, stamped: string | undefined): Times {
  const isInstant = stamped !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(stamped);
  const time = toExactInstant(timeUnixNano);
  const isSame = observedTimeUnixNano === timeUnixNano;
  const observed = isSame ? time : toExactInstant(observedTimeUnixNano);
  return { time, stamped, claimed: isInstant ? stamped : undefined, observed };
}

function setLogFacts(facts: StatedFacts, event: OtelEvent): void {
  const { members } = event;
  const { source_event: name } = facts;
  setClaudeCodeFacts(facts, event);
  setFact(facts, 'decision_source', members.word(name === 'tool_decision' ? 'source' : 'decision_source'));
  const reason = reasonAttribute(name);
  if (reason !== undefined) setFact(facts, 'reason', members.word(reason));
  if (name !== 'api_error') return;
  // An API error has no error type, only the status code of the answer, if there was one.
  facts.success = false;
  setFact(facts, 'error_type', members.word('status_code'));
}

const CARRIED: ReadonlySet<string> = new Set([
  ...['attributes', 'unknown', 'traceId', 'spanId'],
  ...['eventName', 'timeUnixNano', 'observedTimeUnixNano'],
]);

/** Members of the record that no fact carries. */
function leftOver(record: JsonObject, facts: StatedFacts, { time, stamped, observed }: Times): ContentParts {
  const left = copyWithout(record, CARRIED);
  const { eventName: given, timeUnixNano, observedTimeUnixNano } = record;
  const { source_event, occurred_at } = facts;
  if (given !== source_event) setPart(left, 'eventName', given);
  if (time !== occurred_at) setPart(left, 'timeUnixNano', timeUnixNano);
  if (observed !== occurred_at) setPart(left, 'observedTimeUnixNano', observedTimeUnixNano);
  if (stamped !== occurred_at) setPart(left, 'event_timestamp', stamped);
  return left;
}
