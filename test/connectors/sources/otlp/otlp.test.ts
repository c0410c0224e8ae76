import { describe, expect, it } from 'vitest';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { envelope, expandEnvelope } from '../recorded.ts';

const LOG_SCOPE = 'com.anthropic.claude_code.events';

const toValue = (value: JsonValue): JsonObject => {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
};
const toAttributes = (members: JsonObject) =>
  Object.entries(members).map(([key, value]) => ({ key, value: toValue(value) }));

function drafts(source: 'otlp-logs' | 'otlp-metrics' | 'otlp-traces', body: JsonObject): DraftRecord[] {
  return expandEnvelope(envelope(source, body)).map((expanded) => {
    if (expanded.kind === 'quarantined') throw new Error(expanded.item.pointer);
    return expanded.draft;
  });
}

function logDraft(
  attributes: JsonObject,
  { scope = LOG_SCOPE, resource = {}, record = {} } = {},
): DraftRecord {
  const logRecord = { timeUnixNano: '1795248800123000000', attributes: toAttributes(attributes), ...record };
  const scopeLogs = [{ scope: { name: scope }, logRecords: [logRecord] }];
  return drafts('otlp-logs', {
    resourceLogs: [{ resource: { attributes: toAttributes(resource) }, scopeLogs }],
  })[0]!;
}

const event = (name: string, attributes: JsonObject = {}) => logDraft({ 'event.name': name, ...attributes });

describe('log events of Claude Code', () => {
  it.each([
    ['user_prompt', 'prompt.submitted'],
    ['assistant_response', 'model.answered'],
    ['tool_decision', 'tool.decided'],
    ['tool_result', 'tool.measured'],
    ['api_request', 'model.called'],
    ['api_error', 'model.failed'],
    ['permission_mode_changed', 'permission.mode_changed'],
    ['auth', 'auth.observed'],
    ['mcp_server_connection', 'mcp.connected'],
    ['managed_settings_resolved', 'config.resolved'],
    ['hook_registered', 'hook.registered'],
    ['hook_execution_start', 'hook.started'],
    ['hook_execution_complete', 'hook.executed'],
    ['plugin_loaded', 'extension.loaded'],
    ['subagent_completed', 'subagent.ended'],
    ['an_event_of_next_year', 'event.observed'],
    ['toString', 'event.observed'],
  ])('makes %s a record of type %s', (name, type) => {
    expect(event(name)).toMatchObject({ type, source: 'otel', facts: { source_event: name } });
  });

  it('takes the name from the field, else the attribute, else the body', () => {
    const body = { stringValue: 'claude_code.tool_result' };
    expect(logDraft({ 'event.name': 'auth' }, { record: { eventName: 'tool_decision', body } }).type).toBe(
      'tool.decided',
    );
    expect(logDraft({ 'event.name': 'auth' }, { record: { body } }).type).toBe('auth.observed');
    expect(logDraft({}, { record: { body } }).type).toBe('tool.measured');
  });

  it('reads a decision with its raw source', () => {
    const decision = {
      decision: 'reject',
      source: 'user_reject',
      tool_name: 'Bash',
      tool_use_id: 't',
      permission_mode: 'plan',
    };
    expect(event('tool_decision', decision).facts).toMatchObject({
      decision: 'reject',
      decision_source: 'user_reject',
      tool_name: 'Bash',
      tool_use_id: 't',
      permission_mode: 'plan',
    });
  });

  it.each([
    ['as text', { success: 'true', duration_ms: '122', tool_input_size_bytes: '7' }],
    ['as values', { success: true, duration_ms: 122, tool_input_size_bytes: 7 }],
  ])('reads counts and flags by key, given %s', (_, attributes) => {
    const { facts, content } = event('tool_result', attributes);
    expect(facts).toMatchObject({ success: true, duration_ms: 122, input_size_bytes: 7 });
    expect(content).not.toHaveProperty('attributes.duration_ms');
  });

  it('finds the file and the commit in JSON text, and leaves text that was cut alone', () => {
    const facts = (attributes: JsonObject) => event('tool_result', attributes).facts;
    expect(facts({ tool_name: 'Read', tool_input: '{"file_path":"/a"}' }).file_path).toBe('/a');
    expect(facts({ tool_name: 'Read', tool_input: '{"file_path":"/a' }).file_path).toBeUndefined();
    const commit = 'a'.repeat(40);
    expect(facts({ tool_name: 'Bash', tool_parameters: `{"git_commit_id":"${commit}"}` }).git_commit_id).toBe(
      commit,
    );
    expect(
      facts({ tool_name: 'Bash', tool_parameters: '{"git_commit_id":"a b"}' }).git_commit_id,
    ).toBeUndefined();
  });

  it('reads cost in micro-dollars, from the integer or else from dollars', () => {
    expect(event('api_request', { cost_usd: 0.5, cost_usd_micros: 11 }).facts.cost_usd_micros).toBe(11);
    const fromDollars = event('api_request', { cost_usd: 0.011954 });
    expect(fromDollars.facts.cost_usd_micros).toBe(11954);
    expect(fromDollars.content).toMatchObject({ attributes: { cost_usd: '0.011954' } });
    expect(event('api_request', { cost_usd: -1 }).facts).not.toHaveProperty('cost_usd_micros');
  });

  it('reads failures of the model, modes and hook results', () => {
    expect(event('api_error', { status_code: 529, error: 'Overloaded, Bob' }).facts).toMatchObject({
      success: false,
      error_type: '529',
    });
    expect(
      event('permission_mode_changed', { to_mode: 'bypassPermissions', trigger: 'shift_tab' }).facts,
    ).toMatchObject({
      permission_mode: 'bypassPermissions',
      reason: 'shift_tab',
    });
    expect(
      event('hook_execution_complete', { num_blocking: '1', num_non_blocking_error: '2' }).facts,
    ).toMatchObject({
      hook_blocking_count: 1,
      hook_error_count: 2,
    });
  });

  it('keeps prompts, errors and answers out of the facts', () => {
    const texts = { prompt: 'Bob', response: 'Bob', error: 'Bob', tool_input: 'Bob', tool_parameters: 'Bob' };
    const { facts, content } = event('user_prompt', texts);
    expect(JSON.stringify(facts)).not.toContain('Bob');
    expect(content).toMatchObject({ attributes: texts });
  });
});

describe('who and when', () => {
  it.each([
    [{ 'enduser.id': 'e', 'user.email': 'm@x', 'user.id': 'u' }, 'e', 'enduser.id'],
    [{ 'user.email': 'm@x', 'user.id': 'u' }, 'm@x', 'user.email'],
    [{ 'user.id': 'u' }, 'u', 'user.id'],
    [{}, undefined, undefined],
  ])('names the claimed person of %j', (attributes, claimed_user, claimed_user_source) => {
    const { facts, claimed_subject } = event('auth', attributes);
    expect(facts.claimed_user).toBe(claimed_user);
    expect(facts.claimed_user_source).toBe(claimed_user_source);
    expect(claimed_subject).toBe(claimed_user ?? null);
  });

  it('prefers what the record says to what its resource says, and keeps both', () => {
    const { facts, content } = logDraft(
      { department: 'legal' },
      { resource: { department: 'sales', 'team.id': 't' } },
    );
    expect(facts).toMatchObject({ department: 'legal', team_id: 't' });
    expect(content).toMatchObject({ resource: { attributes: { department: 'sales' } } });
  });

  it.each([
    ['1795248800123000000', '2026-11-21T08:13:20.123Z'],
    ['1795248800000000000', '2026-11-21T08:13:20.000Z'],
    ['1795248800123456700', '2026-11-21T08:13:20.1234567Z'],
    ['1', '1970-01-01T00:00:00.000000001Z'],
    ['18446744073709551615', '2554-07-21T23:34:33.709551615Z'],
  ])('writes %s nanoseconds as %s', (timeUnixNano, occurred_at) => {
    expect(logDraft({}, { record: { timeUnixNano } }).facts.occurred_at).toBe(occurred_at);
  });

  it('falls back to the event timestamp, then to the time of observation', () => {
    const observedTimeUnixNano = '1795248800000000000';
    const stamped = { 'event.timestamp': '2026-01-02T03:04:05.678Z' };
    const record = { timeUnixNano: '0', observedTimeUnixNano };
    expect(logDraft(stamped, { record }).facts.occurred_at).toBe('2026-01-02T03:04:05.678Z');
    expect(logDraft({ 'event.timestamp': 'noon' }, { record }).facts.occurred_at).toBe(
      '2026-11-21T08:13:20.000Z',
    );
    expect(logDraft({}, { record: { timeUnixNano: '0' } }).facts).not.toHaveProperty('occurred_at');
  });
});

describe('other emitters', () => {
  it('are kept as observed, and their attributes are not taken for Claude Code’s', () => {
    const attributes = { 'event.name': 'tool_decision', decision: 'reject', source: 'x', 'session.id': 's' };
    const { type, facts, content } = logDraft(attributes, { scope: 'com.example' });
    expect(type).toBe('event.observed');
    expect(facts).toMatchObject({ source_event: 'tool_decision', session_id: 's' });
    expect(facts).not.toHaveProperty('decision');
    expect(content).toMatchObject({
      attributes: { decision: 'reject', source: 'x' },
      scope: { name: 'com.example' },
    });
  });

  it('are told from a scope that merely begins alike', () => {
    expect(logDraft({ 'event.name': 'auth' }, { scope: 'com.anthropic.claude_codex' }).type).toBe(
      'event.observed',
    );
  });
});

describe('metrics', () => {
  function points(metric: JsonObject): DraftRecord[] {
    const scopeMetrics = [{ scope: { name: 'com.anthropic.claude_code' }, metrics: [metric] }];
    return drafts('otlp-metrics', { resourceMetrics: [{ scopeMetrics }] });
  }

  it('are one record per data point, with the value as text', () => {
    const attributes = toAttributes({ 'session.id': 's', model: 'm', type: 'input' });
    const dataPoints = [
      { timeUnixNano: '1795248800000000000', asDouble: 0.25, attributes },
      { timeUnixNano: '1795248800000000000', asInt: '9007199254740993' },
      { asDouble: 0 },
    ];
    const [first, second, third] = points({
      name: 'claude_code.token.usage',
      unit: 'tokens',
      sum: { isMonotonic: true, dataPoints },
    });
    expect(first).toMatchObject({
      type: 'metric.observed',
      facts: { metric_name: 'claude_code.token.usage', metric_value: '0.25', session_id: 's', model: 'm' },
      content: { metric: { unit: 'tokens', kind: 'sum', isMonotonic: true }, attributes: { type: 'input' } },
    });
    expect(second?.facts.metric_value).toBe('9007199254740993');
    expect(third?.facts.metric_value).toBe('0');
  });

  it('keep distributions in the content', () => {
    const dataPoints = [{ count: '3', sum: 1.5, bucketCounts: [1, 2], explicitBounds: [0.1] }];
    const [point] = points({ name: 'h', histogram: { dataPoints } });
    expect(point?.facts).not.toHaveProperty('metric_value');
    expect(point?.content).toMatchObject({
      point: { count: 3, sum: '1.5', bucketCounts: [1, 2], explicitBounds: ['0.1'] },
    });
  });
});

describe('spans', () => {
  it('carry ids, start, duration and tool call', () => {
    const span = {
      traceId: 'AB'.repeat(16),
      spanId: 'cd'.repeat(8),
      name: 'claude_code.tool',
      kind: 1,
      startTimeUnixNano: '1795248800000000000',
      endTimeUnixNano: '1795248800045999999',
      attributes: toAttributes({
        'gen_ai.tool.call.id': 't',
        'gen_ai.tool.name': 'Bash',
        full_command: 'ls',
      }),
      events: [{ name: 'tool.output', attributes: toAttributes({ output: 'x' }) }],
    };
    const scopeSpans = [{ scope: { name: 'com.anthropic.claude_code.tracing' }, spans: [span] }];
    expect(drafts('otlp-traces', { resourceSpans: [{ scopeSpans }] })).toMatchObject([
      {
        type: 'span.observed',
        facts: {
          source_event: 'claude_code.tool',
          trace_id: 'ab'.repeat(16),
          span_id: 'cd'.repeat(8),
          occurred_at: '2026-11-21T08:13:20.000Z',
          duration_ms: 45,
          tool_use_id: 't',
          tool_name: 'Bash',
        },
        content: {
          attributes: { full_command: 'ls' },
          span: {
            kind: 1,
            endTimeUnixNano: '1795248800045999999',
            events: [{ attributes: { output: 'x' } }],
          },
        },
      },
    ]);
  });
});
