import type { JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
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

/** One data point of a metric as a draft. A distribution has no single value and is kept in the content. */
export function toPointDraft(event: OtelEvent): DraftRecord {
  const { item, members, isClaudeCode } = event;
  const { asInt, asDouble, timeUnixNano } = item.record;
  const metric_name = nameOf(item.metric['name']) ?? 'unnamed';
  const facts = openOtelFacts(event, metric_name);
  setFact(facts, 'metric_name', metric_name);
  setFact(facts, 'metric_value', valueText(asInt ?? asDouble));
  setFact(facts, 'occurred_at', toExactInstant(timeUnixNano));
  if (isClaudeCode) {
    setClaudeCodeFacts(facts, event);
    setFact(facts, 'decision_source', members.word('source'));
  }
  return {
    type: 'metric.observed',
    source: 'otel',
    natural_key: ['otel-metric', metric_name, integerText(timeUnixNano), event.digest],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toOtelContent(event, leftOver(item, facts)),
  };
}

/** Members of the metric and of the point that no fact carries. */
function leftOver({ metric, record }: OtelEvent['item'], facts: StatedFacts): ContentParts {
  const ofMetric = new Set(metric['name'] === facts.metric_name ? ['unknown', 'name'] : ['unknown']);
  const ofPoint = new Set(['attributes', 'unknown', record['asInt'] === undefined ? 'asDouble' : 'asInt']);
  if (facts.occurred_at !== undefined) ofPoint.add('timeUnixNano');
  const parts: ContentParts = {};
  setPart(parts, 'metric', ifAny(omitMembers(metric, ofMetric)));
  setPart(parts, 'point', ifAny(omitMembers(record, ofPoint)));
  return parts;
}

function valueText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : undefined;
}
