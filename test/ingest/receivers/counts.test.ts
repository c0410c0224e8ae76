import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { BEARER, JSON_HEADERS, PROTOBUF_HEADERS, prepareBench } from './setup.ts';
import { toProtobuf } from '../../connectors/wire/otlp/to-protobuf.ts';

const normalise = createNormaliser({
  surrogates: createSurrogates(Buffer.alloc(32, 7)),
});

interface Counted {
  readonly accepted: number;
  readonly quarantined: readonly { readonly index: number; readonly items?: number }[];
}

async function send(url: string, payload: string | Buffer, contentType = 'application/json') {
  const bench = prepareBench({ limits: { maxBodyBytes: 16_000_000, maxInflatedBytes: 16_000_000 } });
  const headers = Buffer.isBuffer(payload)
    ? PROTOBUF_HEADERS
    : { ...JSON_HEADERS, ...BEARER, 'content-type': contentType };
  const answer = await buildReceivers(bench.options).inject({ method: 'POST', url, headers, payload });
  const records = bench.appended.flatMap((envelope) => normalise(envelope).records);
  return { answer, records, envelopes: bench.appended };
}

const quarantinedItems = ({ quarantined }: Counted) =>
  quarantined.reduce((sum, { items = 1 }) => sum + items, 0);

describe('the answer of a receiver', () => {
  it('counts every line of a body that is quarantined as a whole', async () => {
    const lines = '{"type":"a.b"}\n'.repeat(50_001);
    const { answer } = await send('/v1/events', lines, 'application/x-ndjson');
    expect(answer.json()).toEqual({
      accepted: 0,
      quarantined: [{ index: 0, items: 50_001, reason: 'body_expands_too_large', pointer: '' }],
    });
  });

  it('counts every object of an array with so many problems that it is judged as a whole', async () => {
    const { answer } = await send('/v1/events', `[${Array<string>(1_001).fill('{"type":1e999}').join()}]`);
    const counted = answer.json<Counted>();
    expect([counted.accepted, quarantinedItems(counted)]).toEqual([0, 1_001]);
  });

  it('counts the calls of a body whose calls become too many records', async () => {
    const call = { messages: Array<object>(30_000).fill({ role: 'user', content: 'x' }) };
    const { answer } = await send('/v1/gateways/litellm', JSON.stringify([call, call, 5]));
    const counted = answer.json<Counted>();
    expect([counted.accepted, quarantinedItems(counted)]).toEqual([0, 3]);
  });

  const records = ['1', '2', '3'].map((text) => ({ body: { stringValue: text } }));
  const twice = { attributes: [{ key: 'a' }, { key: 'a' }] };
  const logs = {
    resourceLogs: [
      { resource: twice, scopeLogs: [{ logRecords: records }] },
      { scopeLogs: [{ logRecords: [{}] }] },
    ],
  };

  it.each([
    ['JSON', JSON.stringify(logs)],
    ['protobuf', Buffer.from(toProtobuf('logs', logs))],
  ])('counts every log record of a resource that is quarantined, in %s', async (_, payload) => {
    const { answer } = await send('/v1/logs', payload);
    if (Buffer.isBuffer(payload)) {
      // Member 1 of the partial success is the count.
      expect(answer.rawPayload.includes(Buffer.from([8, 3, 0x12]))).toBe(true);
      expect(answer.body).toContain('3 of 4 items were kept in quarantine');
    } else {
      expect(answer.json()).toMatchObject({
        partialSuccess: {
          rejectedLogRecords: '3',
          errorMessage: expect.stringContaining('3 of 4 items were kept in quarantine') as string,
        },
      });
    }
  });

  it('counts every data point of a scope and of a metric that is quarantined', async () => {
    const gauge = { dataPoints: [{ asInt: '1' }, { asInt: '2' }] };
    const sum = { dataPoints: [{ asInt: '3' }] };
    const scopeMetrics = [
      { scope: 7, metrics: [{ gauge }, { sum }] },
      { metrics: [{ gauge, sum }, { gauge }] },
    ];
    const { answer } = await send('/v1/metrics', JSON.stringify({ resourceMetrics: [{ scopeMetrics }] }));
    const { partialSuccess } = answer.json<{ partialSuccess: { errorMessage: string } }>();
    expect(partialSuccess.errorMessage).toContain('6 of 8 items');
  });

  it('counts every log record of an export that is quarantined as a whole', async () => {
    const logRecords = Array<object>(50_001).fill({});
    const body = { resourceLogs: [{ scopeLogs: [{ logRecords }, { logRecords: [{}] }] }] };
    const { answer } = await send('/v1/logs', JSON.stringify(body));
    expect(answer.json()).toMatchObject({ partialSuccess: { rejectedLogRecords: '50002' } });
  });
});

describe('an item that a receiver accepted', () => {
  it('is not lost with its neighbours to a duration beyond the safe integers', async () => {
    const calls = [
      { id: 'a', startTime: 0, endTime: 1e300 },
      { id: 'b', messages: [{ role: 'user', content: 'hi' }] },
    ];
    const { answer, records } = await send('/v1/gateways/litellm', JSON.stringify(calls));
    expect(answer.json()).toEqual({ accepted: 2, quarantined: [] });
    expect(records.map(({ type }) => type)).toEqual(['model.called', 'model.called', 'message.observed']);
    expect(records[0]?.facts.duration_ms).toBeUndefined();
    expect(records[0]?.content).toMatchObject({ endTime: '1e+300' });
  });

  const input = '{"file_path":"/x\\ud800"}';

  it('is not lost with its neighbours to a path in a tool input that cannot be hashed, in OTLP', async () => {
    const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    const read = { attributes: [attribute('tool_name', 'Read'), attribute('tool_input', input)] };
    const scope = { name: 'com.anthropic.claude_code.events' };
    const body = {
      resourceLogs: [{ scopeLogs: [{ scope, logRecords: [read, { body: { stringValue: 'good' } }] }] }],
    };
    const { answer, records } = await send('/v1/logs', JSON.stringify(body));
    expect(answer.json()).toEqual({});
    expect(records.map(({ type }) => type)).toEqual(['event.observed', 'event.observed']);
    expect(records[0]?.facts).toMatchObject({ tool_name: 'Read' });
    expect(records[0]?.facts.file_path).toBeUndefined();
    expect(records[0]?.content).toMatchObject({ attributes: { tool_input: input } });
  });

  it('is not lost with its neighbours to such a path in a transcript', async () => {
    const content = [{ type: 'tool_use', id: 't', name: 'Read', input }];
    const lines = [
      { type: 'assistant', sessionId: 's', message: { role: 'assistant', content } },
      { type: 'user', sessionId: 's', message: { role: 'user', content: 'ok' } },
    ];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    const { records } = await send('/v1/transcripts/claude-code', text, 'application/x-ndjson');
    expect(records.map(({ type }) => type)).not.toContain('quarantined');
    expect(records.length).toBeGreaterThanOrEqual(2);
  });
});
