import { describe, expect, it } from 'vitest';
import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import { splitBySession } from '../../../../connectors/partition/split.ts';
import { OTLP_CONNECTORS } from '../../../../connectors/sources/otlp/otlp.ts';
import { collectorKey, sessionKey, type Envelope } from '../../../../schemas/envelope.ts';
import { toProtobuf } from '../../wire/otlp/to-protobuf.ts';
import { envelope } from '../recorded.ts';
import { CALL, draftsOf, keyOf, request, SPANS, spanOf } from './otel-spans.ts';

describe('bodies with calls of gateways', () => {
  const spans = (session: string) =>
    spanOf({
      ...CALL,
      'metadata.requester_custom_headers': `{'x-claude-code-session-id': '${session}'}`,
      'gen_ai.output.messages': '[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]',
    });
  const MIXED = request([spans('s-1'), spanOf({ 'http.route': '/' }), spans('s-2'), spans('s-1')], {
    service: 'litellm',
  });
  const recorded = (signal: OtlpSignal, one: Envelope): [OtlpSignal, Envelope] => [signal, one];
  const BODIES = [
    recorded('traces', SPANS),
    recorded('traces', envelope('otlp-traces', MIXED)),
    recorded(
      'traces',
      envelope('otlp-traces', toProtobuf('traces', MIXED), { content_type: 'application/x-protobuf' }),
    ),
  ];

  it('are known however their gateway is spelt', () => {
    const text = JSON.stringify(MIXED);
    for (const spelt of ['\\u006citellm', 'lit\\u0065llm', 'litell\\u006D']) {
      const one = envelope('otlp-traces', text.replace('"litellm"', `"${spelt}"`));
      expect(OTLP_CONNECTORS.traces.survey(one).itemCount).toBe(7);
    }
    const dotted = JSON.stringify(request([spanOf({ ...CALL, 'tfy.x': 'y' })]));
    const escaped = dotted.replace('tfy.x', 'tfy\\u002ex');
    expect(draftsOf(OTLP_CONNECTORS.traces.expand(envelope('otlp-traces', escaped)))[0]!.type).toBe(
      'model.called',
    );
  });

  it('are counted by the receivers as they are expanded', () => {
    for (const [signal, one] of BODIES) {
      const connector = OTLP_CONNECTORS[signal];
      expect(connector.survey(one).itemCount).toBe(connector.expand(one).length);
    }
  });

  it('are split by the sessions of their records, and lose none of them', () => {
    for (const [signal, one] of BODIES) {
      const connector = OTLP_CONNECTORS[signal];
      const { itemCount, units } = connector.survey(one);
      const parts = splitBySession({
        ...one,
        body: Buffer.from(one.body),
        itemCount,
        units,
        quarantinedUnits: [],
      });
      expect(parts.length).toBeGreaterThan(1);
      const found = parts.flatMap((part) => {
        const drafts = draftsOf(connector.expand({ ...one, body: part.body }));
        expect(drafts.length).toBe(part.itemCount);
        for (const { facts } of drafts) {
          const { session_id: session } = facts;
          expect(part.key).toBe(session === undefined ? collectorKey(one.principal) : sessionKey(session));
        }
        return drafts;
      });
      expect(found.map(keyOf).sort()).toEqual(draftsOf(connector.expand(one)).map(keyOf).sort());
    }
  });

  it('are kept whole, in quarantine, where they would become more records than one body may', () => {
    const parts = Array.from({ length: 30_000 }, (_, index) => ({ type: 'text', content: String(index) }));
    const many = spanOf({ ...CALL, 'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts }]) });
    const one = envelope('otlp-traces', request([many, many], { service: 'bifrost' }));
    expect(OTLP_CONNECTORS.traces.expand(one)).toMatchObject([
      { kind: 'quarantined', item: { reason: 'body_expands_too_large', pointer: '' } },
    ]);
    expect(OTLP_CONNECTORS.traces.survey(one)).toMatchObject({
      itemCount: 1,
      problems: [{ unit_pointer: '' }],
    });
  });

  it('have unsound spans in quarantine beside their calls', () => {
    const one = envelope('otlp-traces', {
      ...request([spans('s-1'), { ...spanOf(CALL), traceId: 'zz' }, spans('s-2')], { service: 'litellm' }),
    });
    const { itemCount, problems, units } = OTLP_CONNECTORS.traces.survey(one);
    const expanded = OTLP_CONNECTORS.traces.expand(one);
    expect([itemCount, expanded.length, problems.length]).toEqual([5, 5, 1]);
    expect(expanded[2]!.kind).toBe('quarantined');
    const quarantinedUnits = problems.map(({ unit_pointer }) => unit_pointer);
    const parts = splitBySession({ ...one, body: Buffer.from(one.body), itemCount, units, quarantinedUnits });
    expect(parts.map(({ key, itemCount: count }) => [key, count])).toEqual([
      [sessionKey('s-1'), 2],
      [collectorKey(one.principal), 1],
      [sessionKey('s-2'), 2],
    ]);
  });
});
