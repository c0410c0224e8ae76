import { describe, expect, it } from 'vitest';
import { otlpTraces } from '../../../../connectors/sources/otlp/otlp.ts';
import { splitBySession } from '../../../../ingest/receivers/split.ts';
import { sessionKey, sourceKey, type Envelope } from '../../../../schemas/envelope.ts';
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
  const BODIES = [
    SPANS,
    envelope('otlp-traces', MIXED),
    envelope('otlp-traces', toProtobuf('traces', MIXED), { content_type: 'application/x-protobuf' }),
  ];
  const partsOf = (one: Envelope, read = otlpTraces.read(one)) =>
    splitBySession({ body: Buffer.from(one.body), read, source: one.source });

  it('are known however their gateway is spelt', () => {
    const text = JSON.stringify(MIXED);
    for (const spelt of ['\\u006citellm', 'lit\\u0065llm', 'litell\\u006D']) {
      const one = envelope('otlp-traces', text.replace('"litellm"', `"${spelt}"`));
      expect(otlpTraces.read(one).recordCount).toBe(7);
    }
    const dotted = JSON.stringify(request([spanOf({ ...CALL, 'tfy.x': 'y' })]));
    const escaped = dotted.replace('tfy.x', 'tfy\\u002ex');
    expect(draftsOf(otlpTraces.expand(envelope('otlp-traces', escaped)))[0]!.type).toBe('model.called');
  });

  it('are counted by the receivers as they are expanded', () => {
    for (const one of BODIES) expect(otlpTraces.read(one).recordCount).toBe(otlpTraces.expand(one).length);
  });

  it('are split by the sessions of their records, and lose none of them', () => {
    for (const one of BODIES) {
      const parts = partsOf(one);
      expect(parts.length).toBeGreaterThan(1);
      const found = parts.flatMap((part) => {
        const drafts = draftsOf(otlpTraces.expand({ ...one, body: part.body }));
        expect(drafts.length).toBe(part.recordCount);
        for (const { facts } of drafts) {
          const { session_id: session } = facts;
          expect(part.key).toBe(session === undefined ? sourceKey(one.source) : sessionKey(session));
        }
        return drafts;
      });
      expect(found.map(keyOf).sort()).toEqual(draftsOf(otlpTraces.expand(one)).map(keyOf).sort());
    }
  });

  it('are kept whole, in quarantine, where they would become more records than one body may', () => {
    const parts = Array.from({ length: 30_000 }, (_, index) => ({ type: 'text', content: String(index) }));
    const many = spanOf({ ...CALL, 'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts }]) });
    const one = envelope('otlp-traces', request([many, many], { service: 'bifrost' }));
    expect(otlpTraces.expand(one)).toMatchObject([
      { kind: 'quarantined', item: { reason: 'body_expands_too_large', pointer: '' } },
    ]);
    expect(otlpTraces.read(one)).toMatchObject({
      recordCount: 1,
      problems: [{ unit_pointer: '' }],
    });
  });

  it('have unsound spans in quarantine beside their calls', () => {
    const one = envelope('otlp-traces', {
      ...request([spans('s-1'), { ...spanOf(CALL), traceId: 'zz' }, spans('s-2')], { service: 'litellm' }),
    });
    const read = otlpTraces.read(one);
    const expanded = otlpTraces.expand(one);
    expect([read.recordCount, expanded.length, read.problems.length]).toEqual([5, 5, 1]);
    expect(expanded[2]!.kind).toBe('quarantined');
    expect(partsOf(one, read).map(({ key, recordCount }) => [key, recordCount])).toEqual([
      [sessionKey('s-1'), 2],
      [sourceKey(one.source), 1],
      [sessionKey('s-2'), 2],
    ]);
  });
});
