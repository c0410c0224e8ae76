import { describe, expect, it } from 'vitest';
import type { EnvelopeSource } from '../../../connectors/sources/index.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { envelope, expandEnvelope } from '../sources/recorded.ts';

function factsOf(source: EnvelopeSource, body: object): StatedFacts[] {
  return expandEnvelope(envelope(source, body)).map((expanded) => {
    if (expanded.kind === 'quarantined') throw new Error(expanded.item.reason);
    expect(JSON.stringify(expanded.draft.content)).not.toContain('affidavit');
    return expanded.draft.facts;
  });
}

const resource = { attributes: [{ key: 'affidavit.synthetic', value: { boolValue: true } }] };
const record = { timeUnixNano: '1795248800123000000', body: { stringValue: 'x' }, attributes: [] };
const metrics = [{ name: 'm', sum: { dataPoints: [{ asInt: '1', timeUnixNano: '1795248800123000000' }] } }];
const spans = [{ name: 's', traceId: '0'.repeat(31) + '1', spanId: '0'.repeat(15) + '1' }];

describe('an event that its sender made up', () => {
  it.each<[string, EnvelopeSource, object]>([
    ['a hook', 'claude-code-hook', { hook_event_name: 'Stop', affidavit_synthetic: true }],
    ['a log record', 'otlp-logs', { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] }],
    ['a data point', 'otlp-metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] }],
    ['a span', 'otlp-traces', { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }],
  ])('is a synthetic record if it says so: %s', (_, source, body) => {
    expect(factsOf(source, body).map(({ synthetic }) => synthetic)).toEqual([true]);
  });

  it('is synthetic in every call of a batch', () => {
    const tool_calls = [{ tool_use_id: 'toolu_1' }, { tool_use_id: 'toolu_2' }];
    const body = { hook_event_name: 'PostToolBatch', tool_calls, affidavit_synthetic: true };
    expect(factsOf('claude-code-hook', body).map(({ synthetic }) => synthetic)).toEqual([true, true]);
  });

  it('says nothing of being synthetic if its sender does not', () => {
    expect(factsOf('claude-code-hook', { hook_event_name: 'Stop' })[0]).not.toHaveProperty('synthetic');
  });
});
