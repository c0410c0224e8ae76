import type { JsonValue } from '../../../schemas/json.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import {
  ifAny,
  setPart,
  omitMembers,
  setFact,
  toExactInstant,
  type ContentParts,
} from '../../drafts/members.ts';
import { toOtelContent } from './otel-content.ts';
import type { OtelEvent } from './otel-event.ts';
import { integerText, nameOf, openOtelFacts, setClaudeCodeFacts } from './otel-facts.ts';

/** One span as a draft. It occurred at its start. */
export function toSpanDraft(event: OtelEvent): DraftRecord {
  const { item, members, isClaudeCode } = event;
  const { name, startTimeUnixNano, endTimeUnixNano } = item.record;
  const facts = openOtelFacts(event, nameOf(name) ?? 'unnamed');
  setFact(facts, 'occurred_at', toExactInstant(startTimeUnixNano));
  setFact(facts, 'duration_ms', toDurationMs(startTimeUnixNano, endTimeUnixNano));
  if (isClaudeCode) {
    setClaudeCodeFacts(facts, event);
    setFact(facts, 'decision_source', members.word('source'));
  }
  const carried = new Set(['attributes', 'unknown', 'traceId', 'spanId']);
  if (name === facts.source_event) carried.add('name');
  if (facts.occurred_at !== undefined) carried.add('startTimeUnixNano');
  const parts: ContentParts = {};
  setPart(parts, 'span', ifAny(omitMembers(item.record, carried)));
  return {
    type: 'span.observed',
    source: 'otel',
    natural_key: ['otel-span', facts.trace_id ?? '', facts.span_id ?? '', event.digest],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toOtelContent(event, parts),
  };
}

/** Whole milliseconds between two nanosecond instants; undefined if either is missing or they run backwards. */
function toDurationMs(start: JsonValue | undefined, end: JsonValue | undefined): number | undefined {
  const [from, to] = [integerText(start), integerText(end)];
  if (from === '' || to === '') return undefined;
  const nanos = BigInt(to) - BigInt(from);
  return nanos < 0n ? undefined : Number(nanos / 1_000_000n);
}
