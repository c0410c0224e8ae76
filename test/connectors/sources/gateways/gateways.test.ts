import { describe, expect, it } from 'vitest';
import { createSourceFinder, SOURCES } from '../../../../connectors/sources/index.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import { readFixtures } from '../../../support/fixtures.ts';
import { envelope, expandEnvelope } from '../recorded.ts';

const BODIES = readFixtures('gateways');
type Gateway = 'bifrost' | 'kong' | 'cloudflare' | 'portkey';
const gatewayOf = (name: string) => name.split('-')[0] as Gateway;

function draftsOf(gateway: Gateway, payload: unknown): DraftRecord[] {
  return expandEnvelope(envelope(gateway, payload)).map((expanded) => {
    if (expanded.kind !== 'draft') throw new Error(expanded.item.reason);
    return expanded.draft;
  });
}
const read = (name: string, changes: object = {}) =>
  draftsOf(gatewayOf(name), { ...BODIES.get(name)!, ...changes });
const typesOf = (drafts: readonly DraftRecord[]) => drafts.map(({ type }) => type);

describe('synthetic logs of gateways', () => {
  it('become the records that they tell of', () => {
    expect([...BODIES.keys()].map((name) => [name, typesOf(read(name))])).toEqual([
      [
        'bifrost-log',
        [
          'model.called',
          ...Array<string>(2).fill('message.observed'),
          'tool.requested',
          'tool.reported',
          'tool.requested',
        ],
      ],
      ['bifrost-mcp', ['tool.completed']],
      [
        'bifrost-trace',
        ['span.observed', 'span.observed', 'model.called', 'message.observed', 'tool.requested'],
      ],
      ['cloudflare-api', ['model.called', 'message.observed', 'message.observed']],
      ['cloudflare-logpush', ['model.failed']],
      ['kong-mcp', ['event.observed', 'event.observed', 'tool.failed', 'tool.decided']],
      ['kong-proxy', ['model.called', 'message.observed', 'message.observed']],
      ['portkey-log', ['model.called', 'message.observed', 'message.observed']],
    ]);
  });

  it('go by the session that all of their records name', () => {
    for (const [name, body] of BODIES) {
      const one = envelope(gatewayOf(name), body);
      const items = createSourceFinder(SOURCES)(one)!.read(one).items();
      const sessions = new Set(read(name).map(({ facts }) => facts.session_id));
      expect([name, ...sessions]).toEqual([name, ...items.map(({ session }) => session)]);
    }
  });

  it('are records of their own each, with the gateway that reported them', () => {
    for (const name of BODIES.keys()) {
      const drafts = read(name);
      expect(new Set(drafts.map(({ natural_key }) => natural_key.join('\n'))).size).toBe(drafts.length);
      expect(
        drafts.every(({ source, facts }) => source === 'gateway' && facts.gateway === gatewayOf(name)),
      ).toBe(true);
    }
  });

  it.each(['bifrost', 'kong', 'cloudflare', 'portkey'] as const)(
    'of no kind that is known are kept whole: %s',
    (gateway) => {
      expect(draftsOf(gateway, { hello: ['world'] })).toMatchObject([
        { type: 'event.observed', content: { hello: ['world'] } },
      ]);
    },
  );
});

describe('synthetic rows of Bifrost', () => {
  it('have identity, model, tokens apart from the cache, cost and policy', () => {
    expect(read('bifrost-log')[0]!.facts).toEqual({
      source_event: 'chat.completion',
      collector: 'laptop-1',
      gateway: 'bifrost',
      occurred_at: '2026-03-02T10:00:00.25Z',
      session_id: 's-1',
      claimed_user: 'ben@example.com',
      claimed_user_source: 'user_id',
      virtual_key: 'ben-laptop',
      team_id: 'platform',
      organization_id: 'acme',
      department: 'engineering',
      duration_ms: 812,
      cost_usd_micros: 1500,
      success: true,
      request_id: 'bf-1',
      trace_id: 'parent-1',
      provider: 'anthropic',
      model: 'claude-sonnet-4',
      input_tokens: 20,
      output_tokens: 30,
      cache_read_tokens: 100,
      policy_outcome: 'redact',
    });
    expect(read('bifrost-log')[0]!.content).toMatchObject({
      params: { max_tokens: 1024 },
      stop_reason: 'tool_calls',
      tools_offered: { names: ['Bash'] },
    });
  });

  const guarded = { error: { type: 'guardrail_violation' }, status_code: 446 };
  it.each([
    ['blocked', { status: 'error', error_details: guarded }, 'model.failed', 'block'],
    [
      'blocked, told as text',
      { status: 'error', error_details: JSON.stringify(guarded) },
      'model.failed',
      'block',
    ],
    ['warned', { status: 'warning' }, 'model.called', 'warn'],
    [
      'let through',
      { input_history: [], extra_fields: { guardrails: { input_validation: {} } } },
      'model.called',
      'allow',
    ],
    [
      'never looked at, only named so',
      { input_history: [{ role: 'user', content: '[PROJ-12]' }] },
      'model.called',
      undefined,
    ],
  ])('tell what was %s', (_, changes, type, outcome) => {
    const [call] = read('bifrost-log', changes);
    expect([call!.type, call!.facts.policy_outcome]).toEqual([type, outcome]);
  });

  it('keep a conversation that does not read where it is', () => {
    const [call] = read('bifrost-log', { input_history: 'cut off [', tools: undefined });
    expect(call!.content).toMatchObject({ input_history: 'cut off [' });
  });

  it('of tools have input and output', () => {
    const [call] = read('bifrost-mcp');
    expect(call).toMatchObject({
      facts: {
        tool_name: 'create_issue',
        mcp_server: 'tracker',
        request_id: 'bf-1',
        session_id: 's-1',
        success: true,
      },
      content: { tool_input: { title: 'Broken' }, tool_response: { id: 7 }, id: 'mcp-1' },
    });
    expect(typesOf(read('bifrost-mcp', { status: 'error' }))).toEqual(['tool.failed']);
    expect(typesOf(read('bifrost-mcp', { status: 'processing' }))).toEqual(['tool.requested']);
  });

  it('of a trace share who called', () => {
    const [request, , call] = read('bifrost-trace');
    expect(call!.facts).toMatchObject({
      session_id: 's-1',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'b2',
      request_id: 'r-1',
      claimed_user: 'ben@example.com',
      virtual_key: 'ben-laptop',
      model: 'claude-sonnet-4',
      occurred_at: '2026-03-02T10:00:00.1Z',
      input_tokens: 20,
    });
    expect(request!.content).toMatchObject({ RootSpan: 'a1', RequestHeaders: { 'x-bf-session-id': 's-1' } });
    expect(request!.content).not.toHaveProperty('Spans');
  });
});

describe('synthetic lines of Kong', () => {
  it('are read whichever plugin wrote them', () => {
    const facts = {
      occurred_at: '2026-03-02T10:00:00.250Z',
      duration_ms: 900,
      session_id: 's-2',
      request_id: 'kong-1',
      claimed_user: 'ben',
      claimed_user_source: 'consumer.username',
      virtual_key: 'cred-1',
      provider: 'anthropic',
      model: 'claude-sonnet-4-1',
      input_tokens: 11,
      output_tokens: 7,
      cost_usd_micros: 420,
      success: true,
    };
    const line = structuredClone(BODIES.get('kong-proxy')!) as { ai: Record<string, unknown> };
    expect(draftsOf('kong', line)[0]).toMatchObject({ facts: { ...facts, source_event: 'ai.proxy' } });
    line.ai = { 'ai-proxy-advanced': line.ai['proxy'] };
    expect(draftsOf('kong', line)[0]).toMatchObject({
      facts: { ...facts, source_event: 'ai.ai-proxy-advanced' },
    });
  });

  it('keep what is no conversation', () => {
    expect(read('kong-proxy')[0]!.content).toMatchObject({
      client_ip: '192.0.2.9',
      ai: { 'prompt-guard': { matched: false }, proxy: { payload: {} } },
      request_payload: { model: 'claude-sonnet-4' },
      response_payload: { stop_reason: 'end_turn' },
      tools_offered: { names: ['Bash'] },
    });
  });

  it('that were refused have failed', () => {
    const [call] = read('kong-proxy', { response: { status: 429 } });
    expect([call!.type, call!.facts.success, call!.facts.error_type]).toEqual(['model.failed', false, '429']);
  });

  it('look into the answer of a tool, whatever the transport says', () => {
    const [, , call, decision] = read('kong-mcp');
    expect(call).toMatchObject({
      facts: {
        tool_name: 'list_pets',
        mcp_server: 'petstore',
        success: false,
        duration_ms: 6,
        claimed_user: 'ben',
      },
      content: { tool_input: { limit: 3 }, tool_response: [{ type: 'text', text: 'no' }] },
    });
    expect(decision!.facts).toMatchObject({
      tool_name: 'delete_pet',
      decision: 'deny',
      policy_outcome: 'block',
    });
    expect(decision!.facts).not.toHaveProperty('success');
  });
});

describe('synthetic logs of Cloudflare', () => {
  it('have identity from the metadata that the operator sends', () => {
    expect(read('cloudflare-api')[0]!.facts).toEqual({
      source_event: 'messages',
      collector: 'laptop-1',
      gateway: 'cloudflare',
      session_id: 's-3',
      claimed_user: 'ben@example.com',
      claimed_user_source: 'metadata.user',
      team_id: 'platform',
      occurred_at: '2026-03-02T10:00:00Z',
      duration_ms: 640,
      request_id: 'cf-1',
      provider: 'anthropic',
      model: 'claude-sonnet-4',
      input_tokens: 12,
      output_tokens: 4,
      cost_usd_micros: 300,
      success: true,
    });
    expect(read('cloudflare-api')[0]!.content).toMatchObject({
      request: { max_tokens: 10 },
      response: { choices: [{ finish_reason: 'stop' }] },
    });
  });

  it('keep what is encrypted as it is, and know a call that was stopped', () => {
    const [call] = read('cloudflare-logpush');
    const { RequestBody, ResponseBody, Metadata } = BODIES.get('cloudflare-logpush')!;
    expect(call!.content).toMatchObject({ RequestBody, ResponseBody, Metadata });
    expect(call!.facts).toMatchObject({
      occurred_at: '2026-03-02T10:00:00.250Z',
      model: 'claude-sonnet-4',
      policy_outcome: 'block',
      success: false,
      error_type: '424',
    });
  });

  it.each([
    [1_772_445_600, '2026-03-02T10:00:00.000Z'],
    [1_772_445_600_250, '2026-03-02T10:00:00.250Z'],
    ['2026-03-02T10:00:00Z', '2026-03-02T10:00:00Z'],
    ['yesterday', undefined],
  ])('of %s happened at %s', (Timestamp, instant) => {
    expect(read('cloudflare-logpush', { Timestamp })[0]!.facts.occurred_at).toBe(instant);
  });
});

describe('synthetic rows of Portkey', () => {
  it('have identity, tokens, cost in cents and policy', () => {
    expect(read('portkey-log')[0]!.facts).toEqual({
      source_event: 'single',
      collector: 'laptop-1',
      gateway: 'portkey',
      session_id: 's-4',
      claimed_user: 'ben',
      claimed_user_source: 'metadata._user',
      occurred_at: '2026-03-02T10:00:00Z',
      duration_ms: 333,
      request_id: 'pk-1',
      trace_id: 'trace-1',
      provider: 'anthropic',
      model: 'claude-sonnet-4-1',
      input_tokens: 9,
      output_tokens: 3,
      cost_usd_micros: 2500,
      success: true,
      policy_outcome: 'warn',
    });
    expect(read('portkey-log')[0]!.content).toMatchObject({
      request: { headers: { x: 'y' }, body: {} },
      response: { status: 246 },
    });
  });

  it('of another currency keep their cost, and of a failure its status', () => {
    const [call] = read('portkey-log', { cost_currency: 'EUR', is_success: 0, response_status_code: 446 });
    expect(call!.type).toBe('model.failed');
    expect(call!.facts).toMatchObject({ success: false, error_type: '446', policy_outcome: 'block' });
    expect(call!.facts).not.toHaveProperty('cost_usd_micros');
    expect(call!.content).toMatchObject({ cost: '0.25', cost_currency: 'EUR' });
  });
});
