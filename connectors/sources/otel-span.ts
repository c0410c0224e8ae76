import type { JsonValue } from '../../schemas/json.ts';
import type { DraftRecord } from '../source.ts';
import { ifAny, omitMembers, toExactInstant, toFacts } from './members.ts';
import {
  integerText,
  nameOf,
  readClaudeCodeFacts,
  readCommonFacts,
  said,
  toOtelContent,
  type OtelEvent,
} from './otel-facts.ts';

/** One span as a draft; it occurred when it started. */
export function toSpanDraft(event: OtelEvent): DraftRecord {
  const { item, members, isClaudeCode } = event;
  const { name, startTimeUnixNano, endTimeUnixNano } = item.record;
  const source_event = nameOf(name) ?? 'unnamed';
  const occurred_at = toExactInstant(startTimeUnixNano);
  const facts = toFacts({
    ...readCommonFacts(event),
    source_event,
    collector: event.envelope.principal,
    occurred_at,
    duration_ms: toDurationMs(startTimeUnixNano, endTimeUnixNano),
    ...(isClaudeCode ? readClaudeCodeFacts(event) : {}),
    ...(isClaudeCode ? said({ decision_source: members.word('source') }) : {}),
  });
  const carried = ['attributes', 'unknown', 'traceId', 'spanId'];
  if (name === source_event) carried.push('name');
  if (occurred_at !== undefined) carried.push('startTimeUnixNano');
  return {
    type: 'span.observed',
    source: 'otel',
    natural_key: ['otel-span', facts.trace_id ?? '', facts.span_id ?? '', event.digest],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toOtelContent(event, { span: ifAny(omitMembers(item.record, ...carried)) }),
  };
}

/** Whole milliseconds between two nanosecond instants; undefined if either is missing or they run backwards. */
function toDurationMs(start: JsonValue | undefined, end: JsonValue | undefined): number | undefined {
  const [from, to] = [integerText(start), integerText(end)];
  if (from === '' || to === '') return undefined;
  const nanos = BigInt(to) - BigInt(from);
  return nanos < 0n ? undefined : Number(nanos / 1_000_000n);
}
