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

/** One data point of a metric as a draft. Distributions have no single value; they stand in the content. */
export function toPointDraft(event: OtelEvent): DraftRecord {
  const { item, members, isClaudeCode } = event;
  const { asInt, asDouble, timeUnixNano } = item.record;
  const { name } = item.metric;
  const metric_name = nameOf(name) ?? 'unnamed';
  const occurred_at = toExactInstant(timeUnixNano);
  const facts = toFacts({
    ...readCommonFacts(event),
    source_event: metric_name,
    collector: event.envelope.principal,
    metric_name,
    metric_value: valueText(asInt ?? asDouble),
    occurred_at,
    ...(isClaudeCode ? readClaudeCodeFacts(event) : {}),
    ...(isClaudeCode ? said({ decision_source: members.word('source') }) : {}),
  });
  const carried = ['attributes', 'unknown', ...(asInt === undefined ? ['asDouble'] : ['asInt'])];
  return {
    type: 'metric.observed',
    source: 'otel',
    natural_key: ['otel-metric', metric_name, integerText(timeUnixNano), event.digest],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toOtelContent(event, {
      metric: ifAny(omitMembers(item.metric, 'unknown', ...(name === metric_name ? ['name'] : []))),
      point: ifAny(
        omitMembers(item.record, ...carried, ...(occurred_at === undefined ? [] : ['timeUnixNano'])),
      ),
    }),
  };
}

function valueText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : undefined;
}
