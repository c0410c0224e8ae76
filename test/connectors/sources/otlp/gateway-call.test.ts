import { describe, expect, it } from 'vitest';
import { otlpLogs, otlpTraces } from '../../../../connectors/sources/otlp/otlp.ts';
import { litellm } from '../../../../connectors/sources/gateways/litellm.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import type { JsonObject } from '../../../../schemas/json.ts';
import { envelope } from '../recorded.ts';
import {
  CALL,
  CALLBACK,
  draftsOf,
  keyOf,
  pairs,
  read,
  request,
  SPANS,
  spanOf,
  TRACE_ID,
  type Attributes,
  type Sent,
} from './otel-spans.ts';

const isCall = ({ type }: DraftRecord) => type.startsWith('model.');

describe('spans of a recorded LiteLLM', () => {
  const drafts = draftsOf(otlpTraces.expand(SPANS));
  const told = draftsOf(litellm.expand(CALLBACK));

  it('are the calls that its callback tells of, with ids that join them', () => {
    const [spans, calls] = [drafts, told].map((one) => one.filter(isCall));
    const shared = ({ type, facts }: DraftRecord) => {
      const { request_id, message_id, session_id, claimed_user, claimed_user_source, gateway } = facts;
      return { type, request_id, message_id, session_id, claimed_user, claimed_user_source, gateway };
    };
    expect(spans!.map(shared)).toEqual(calls!.map(shared));
    expect(spans!.map(({ facts }) => facts.cost_usd_micros)).toEqual([80, 111, undefined, undefined, 80]);
    expect(spans![2]!.facts).toMatchObject({
      ...{ success: false, error_type: 'InternalServerError', virtual_key: 'litellm_proxy_master_key' },
      ...{ trace_id: '29be893eba8e72b7258ecc9996986081', span_id: '77a6b316f072e373', duration_ms: 8 },
      occurred_at: '2026-11-21T09:09:27.214253824Z',
    });
    expect(spans![0]!.facts).toMatchObject({
      ...{ provider: 'openai', model: 'gpt-4o', input_tokens: 12, output_tokens: 5, success: true },
    });
  });

  it('show the same parts of conversations, which are kept once', () => {
    const parts = (all: readonly DraftRecord[]) =>
      all.filter(({ type }) => type === 'message.observed').map(keyOf);
    expect(parts(drafts)).toEqual(parts(told));
    expect(parts(drafts).length).toBe(8);
  });

  it('stay as observed where they are no call', () => {
    const others = drafts.filter(({ source }) => source !== 'gateway');
    expect(new Set(others.map(({ type, source }) => `${type} ${source}`))).toEqual(
      new Set(['span.observed otel']),
    );
    expect(drafts.length).toBe(56 + 8);
  });
});

describe('a span of a call', () => {
  it('is of the gateway that its service, its scope or its attributes name', () => {
    const told: readonly [Attributes, Sent, string][] = [
      [CALL, { service: 'bifrost' }, 'bifrost'],
      [CALL, { service: 'portkey' }, 'portkey'],
      [CALL, { scope: 'custom.genai.instrumentation', service: 'mine' }, 'portkey'],
      [{ ...CALL, 'gen_ai.prompt_json': '{}' }, {}, 'cloudflare'],
      [{ ...CALL, 'tfy.span_type': 'ChatCompletion' }, { service: 'mine' }, 'truefoundry'],
      [{ 'llm.model_name': 'm-1' }, { service: 'ai-gateway-extproc' }, 'envoy'],
      [CALL, { service: 'agentgateway' }, 'agentgateway'],
      [CALL, { service: 'kong' }, 'kong'],
    ];
    for (const [attributes, sent, gateway] of told) {
      const [call] = read(attributes, sent);
      expect([gateway, call!.type, call!.source, call!.facts.gateway, call!.facts.model]).toEqual([
        ...[gateway, 'model.called', 'gateway', gateway, 'm-1'],
      ]);
    }
  });

  it.each<[string, Attributes, Sent]>([
    ['Claude Code', CALL, { scope: 'com.anthropic.claude_code.tracing', service: 'litellm' }],
    ['an application', CALL, { service: 'shop' }],
    ['a gateway, but of no model', { 'http.route': '/v1/messages' }, { service: 'litellm' }],
    ['an attempt within a request', { ...CALL, 'tfy.span_type': 'Model' }, {}],
  ])('stays as observed where it is of %s', (_, attributes, sent) => {
    const [draft, ...more] = read(attributes, sent);
    expect([draft!.type, draft!.source, more]).toEqual(['span.observed', 'otel', []]);
  });

  it('has its conversation in numbered attributes, tool calls among them', () => {
    const drafts = read(
      {
        ...CALL,
        'gen_ai.prompt.0.role': 'system',
        'gen_ai.prompt.0.content': 'vendor text',
        'gen_ai.prompt.10.role': 'tool',
        'gen_ai.prompt.10.content': 'hello',
        'gen_ai.prompt.10.tool_call_id': 'call_1',
        'gen_ai.prompt.2.role': 'user',
        'gen_ai.prompt.2.content': 'read it',
        'gen_ai.prompt.3.role': 'assistant',
        'gen_ai.prompt.3.tool_calls.0.id': 'call_1',
        'gen_ai.prompt.3.tool_calls.0.name': 'Read',
        'gen_ai.prompt.3.tool_calls.0.arguments': '{"file_path":"/a"}',
        'gen_ai.completion.0.role': 'assistant',
        'gen_ai.completion.0.content': 'It says hello.',
        'gen_ai.completion.0.finish_reason': 'stop',
        'llm.request.functions.0.name': 'Read',
        'gen_ai.usage.prompt_tokens': 40,
        'gen_ai.usage.completion_tokens': 7,
        'gen_ai.usage.cache_read_input_tokens': 30,
      },
      { service: 'bifrost' },
    );
    expect(drafts.map(({ facts }) => facts.source_event)).toEqual([
      ...['chat', 'message.system', 'message.user', 'tool_use', 'tool_result', 'message.assistant'],
    ]);
    expect(drafts[0]!.facts).toMatchObject({ input_tokens: 10, cache_read_tokens: 30, output_tokens: 7 });
    expect(drafts[0]!.content).toMatchObject({ tools_offered: { names: ['Read'] } });
    expect(JSON.stringify(drafts)).not.toContain('vendor text');
    expect(drafts[3]).toMatchObject({
      type: 'tool.requested',
      facts: { tool_use_id: 'call_1', tool_name: 'Read', file_path: '/a', gateway: 'bifrost' },
    });
    expect(drafts[4]).toMatchObject({ type: 'tool.reported', content: { tool_response: 'hello' } });
  });

  it('has its conversation as OpenInference writes it', () => {
    const drafts = read(
      {
        ...{ 'llm.model_name': 'm-1', 'session.id': 's-1', 'user.id': 'ada' },
        'llm.input_messages.0.message.role': 'user',
        'llm.input_messages.0.message.content': 'hi',
        'llm.output_messages.0.message.role': 'assistant',
        'llm.output_messages.0.message.tool_calls.0.tool_call.id': 'call_9',
        'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': 'Bash',
        'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments': '{"command":"ls"}',
        'llm.token_count.prompt': 3,
        'llm.token_count.completion': 4,
      },
      { service: 'envoy-ai-gateway' },
    );
    expect(drafts.map(({ facts }) => facts.source_event)).toEqual(['chat', 'message.user', 'tool_use']);
    expect(drafts[0]!.facts).toMatchObject({
      ...{ session_id: 's-1', claimed_user: 'ada', claimed_user_source: 'user.id', input_tokens: 3 },
    });
    expect(drafts[2]!.content).toEqual({ tool_input: { command: 'ls' } });
  });

  it('has its conversation as bodies in JSON text, of Cloudflare', () => {
    const drafts = read(
      {
        ...{
          'gen_ai.request.model': 'm-1',
          'gen_ai.model.provider': 'anthropic',
          'gen_ai.usage.cost': 0.0125,
        },
        'gen_ai.prompt_json': '{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}',
        'gen_ai.completion_json': '{"content":[{"type":"text","text":"ho"}]}',
        ...{ user_id: 'ada', team: 'platform' },
      },
      {},
    );
    expect(drafts.map(({ facts }) => facts.source_event)).toEqual([
      ...['chat', 'message.user', 'message.assistant'],
    ]);
    expect(drafts[0]!.facts).toMatchObject({
      ...{ gateway: 'cloudflare', provider: 'anthropic', cost_usd_micros: 12_500, team_id: 'platform' },
      ...{ claimed_user: 'ada', claimed_user_source: 'user_id', trace_id: TRACE_ID, duration_ms: 1500 },
    });
    expect(drafts[0]!.content).toMatchObject({
      attributes: { 'gen_ai.prompt_json': { max_tokens: 9 }, 'gen_ai.completion_json': {}, user_id: 'ada' },
    });
    expect(drafts[1]!.facts.trace_id).toBe(TRACE_ID);
  });

  it('has people, cost and a guardrail that stopped it, of TrueFoundry', () => {
    const [call, ...parts] = read(
      {
        ...{
          'tfy.span_type': 'ChatCompletion',
          'tfy.model.name': 'm-1',
          createdBySubjectSlug: 'ada@example.com',
        },
        'tfy.input': '{"messages":[{"role":"user","content":"hi"}]}',
        'tfy.output': '{"choices":[{"message":{"role":"assistant","content":"ho"}}]}',
        'tfy.model.metric.cost_in_usd': 0.5,
        'tfy.error_type': 'guardrail_checks_failed',
        'tfy.triggered_guardrail_fqns': ['tfy:pii'],
      },
      { status: { code: 2 } },
    );
    expect(call).toMatchObject({
      type: 'model.failed',
      claimed_subject: 'ada@example.com',
      facts: { policy_outcome: 'block', error_type: 'guardrail_checks_failed', cost_usd_micros: 500_000 },
    });
    expect(parts.length).toBe(2);
  });

  it('says what a guardrail did where the status does', () => {
    const outcome = (attributes: Attributes, status: JsonObject = {}) =>
      read({ ...CALL, ...attributes }, { service: 'bifrost', status })[0]!.facts.policy_outcome;
    expect(outcome({ 'http.response.status_code': 446 })).toBe('block');
    expect(outcome({}, { code: 2, message: '446' })).toBe('block');
    expect(outcome({ 'http.response.status_code': 246 })).toBe('warn');
    expect(outcome({ 'error.type': 'guardrail_violation' })).toBe('block');
    expect(outcome({ 'http.response.status_code': 200 })).toBeUndefined();
  });

  it('loses no attribute that is no conversation', () => {
    const attributes = { ...CALL, 'x.unknown': 'kept', 'gen_ai.input.messages': 'no list' };
    const body = request(
      [{ ...spanOf(attributes), links: [{ traceId: TRACE_ID, spanId: 'eee19b7ec3c1b175' }] }],
      {
        service: 'litellm',
      },
    );
    const [call] = draftsOf(otlpTraces.expand(envelope('otlp-traces', body)));
    expect(call!.content).toMatchObject({
      attributes,
      resource: { attributes: { 'service.name': 'litellm' } },
      span: { name: 'chat', kind: 3, links: [{ spanId: 'eee19b7ec3c1b175' }] },
    });
  });

  it('keeps instructions as a digest alone, however they are written', () => {
    for (const text of ['vendor text', '[{"type":"text","content":"vendor text"}]']) {
      const drafts = read(
        { ...CALL, 'gen_ai.system_instructions': text, 'gen_ai.input.messages': '[]' },
        { service: 'bifrost' },
      );
      expect(drafts.map(({ facts }) => facts.source_event)).toEqual(['chat', 'message.system']);
      expect(JSON.stringify(drafts)).not.toContain('vendor text');
    }
  });
});

describe('a span of a tool', () => {
  const TOOL = {
    ...{ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'mcp__tickets__create' },
    ...{ 'gen_ai.tool.call.id': 'call_1', 'gen_ai.tool.call.arguments': '{"title":"x"}' },
    'gen_ai.tool.call.result': '{"id":7}',
  };

  it('is a call of it with input and result, which failed where the span says so', () => {
    expect(read(TOOL, { service: 'bifrost', name: 'mcp.client' })).toMatchObject([
      {
        ...{ type: 'tool.completed', source: 'gateway' },
        facts: {
          tool_name: 'mcp__tickets__create',
          tool_use_id: 'call_1',
          mcp_server: 'tickets',
          gateway: 'bifrost',
        },
        content: { tool_input: { title: 'x' }, tool_response: { id: 7 } },
      },
    ]);
    const failed = [
      read(TOOL, { service: 'bifrost', status: { code: 2 } }),
      read({ ...TOOL, 'error.type': 'tool_error' }, { service: 'bifrost' }),
    ];
    for (const [draft] of failed)
      expect(draft).toMatchObject({ type: 'tool.failed', facts: { success: false } });
  });

  it('is one of MCP by its method, and stays as observed of whoever is no gateway', () => {
    const mcp = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'x' };
    expect(read(mcp, { service: 'agentgateway' })[0]!.type).toBe('tool.completed');
    expect(read({ ...mcp, 'mcp.method.name': 'tools/list' }, { service: 'agentgateway' })[0]!.type).toBe(
      'span.observed',
    );
    expect(read(TOOL, { service: 'shop' })[0]!.type).toBe('span.observed');
  });
});

describe('the log record of a call', () => {
  const record = (attributes: Attributes, more: JsonObject = {}): JsonObject => ({
    resourceLogs: [
      {
        resource: { attributes: pairs({ 'service.name': 'bifrost' }) },
        scopeLogs: [
          {
            logRecords: [
              {
                ...{
                  eventName: 'gen_ai.client.inference.operation.details',
                  timeUnixNano: '1772355600000000000',
                },
                ...{ traceId: TRACE_ID, severityNumber: 9, attributes: pairs(attributes), ...more },
              },
            ],
          },
        ],
      },
    ],
  });
  const readLog = (body: JsonObject) => draftsOf(otlpLogs.expand(envelope('otlp-logs', body)));

  it('is that call', () => {
    const drafts = readLog(
      record({
        ...CALL,
        'session.id': 's-1',
        'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
      }),
    );
    expect(drafts).toMatchObject([
      {
        type: 'model.called',
        facts: {
          gateway: 'bifrost',
          session_id: 's-1',
          occurred_at: '2026-03-01T09:00:00.000Z',
          trace_id: TRACE_ID,
        },
        content: { log: { severityNumber: 9 } },
      },
      { type: 'message.observed' },
    ]);
    expect(drafts[0]!.facts.success).toBeUndefined();
    expect(readLog(record(CALL, { severityNumber: 17 }))[0]).toMatchObject({ type: 'model.failed' });
  });

  it('is as observed under any other name', () => {
    expect(readLog(record(CALL, { eventName: 'gen_ai.choice' }))[0]!.type).toBe('event.observed');
  });
});
