import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DraftRecord, Expanded } from '../../../../connectors/drafts/source.ts';
import { claudeCodeHook } from '../../../../connectors/sources/claude-code/hook.ts';
import type { JsonValue } from '../../../../schemas/json.ts';
import { envelope } from '../recorded.ts';

const COMMON = {
  session_id: 's-1',
  transcript_path: '/home/alice/t.jsonl',
  cwd: '/home/alice/acme-web',
  prompt_id: 'p-1',
};

function expand(body: unknown, more = {}): Expanded[] {
  return claudeCodeHook.expand(envelope('claude-code-hook', body, more));
}

function draftOf(body: Record<string, unknown>, more = {}): DraftRecord {
  const [expanded] = expand({ ...COMMON, ...body }, more);
  if (expanded?.kind !== 'draft') throw new Error('quarantined');
  return expanded.draft;
}

describe('hook events', () => {
  it.each<readonly [string, string]>([
    ['SessionStart', 'session.started'],
    ['SessionEnd', 'session.ended'],
    ['UserPromptSubmit', 'prompt.submitted'],
    ['Stop', 'turn.ended'],
    ['StopFailure', 'turn.ended'],
    ['PreToolUse', 'tool.requested'],
    ['PostToolUse', 'tool.completed'],
    ['PostToolUseFailure', 'tool.failed'],
    ['PostToolBatch', 'tool.reported'],
    ['PermissionRequest', 'permission.requested'],
    ['PermissionDenied', 'permission.denied'],
    ['SubagentStart', 'subagent.started'],
    ['SubagentStop', 'subagent.ended'],
    ['ConfigChange', 'config.changed'],
    ...[
      'UserPromptExpansion',
      'Setup',
      'Notification',
      'PreCompact',
      'PostCompact',
      'PreModelSwitch',
      'PostModelSwitch',
      'TaskCreated',
      'TaskCompleted',
      'TeammateIdle',
      'InstructionsLoaded',
      'CwdChanged',
      'DirectoryAdded',
      'FileChanged',
      'WorktreeCreate',
      'WorktreeRemove',
      'Elicitation',
      'ElicitationResult',
      'MessageDisplay',
      'AnEventOfNextYear',
      'constructor',
    ].map((name) => [name, 'event.observed'] as const),
  ])('makes %s a record of type %s', (hook_event_name, type) => {
    const draft = draftOf({ hook_event_name });
    expect(draft.type).toBe(type);
    expect(draft.source).toBe('hook');
    expect(draft.facts).toMatchObject({
      source_event: hook_event_name,
      session_id: 's-1',
      collector: 'laptop-1',
    });
    expect(draft.facts).not.toHaveProperty('occurred_at');
  });

  it('keeps members it does not know under extensions and free text out of the facts', () => {
    const { facts, content } = draftOf({
      hook_event_name: 'UserPromptSubmit',
      prompt: 'call Bob at home',
      mood: { level: 0.5 },
      permission_mode: 'plan',
    });
    expect(facts).toEqual({
      source_event: 'UserPromptSubmit',
      collector: 'laptop-1',
      session_id: 's-1',
      prompt_id: 'p-1',
      permission_mode: 'plan',
    });
    expect(content).toEqual({
      transcript_path: COMMON.transcript_path,
      cwd: COMMON.cwd,
      prompt: 'call Bob at home',
      extensions: { mood: { level: '0.5' } },
    });
  });

  it('takes a reason into the facts only where it is a word of a closed list', () => {
    expect(draftOf({ hook_event_name: 'SessionEnd', reason: 'logout' }).facts.reason).toBe('logout');
    const freeText = draftOf({ hook_event_name: 'SessionEnd', reason: 'because Bob said so' });
    expect(freeText.facts).not.toHaveProperty('reason');
    expect(freeText.content).toMatchObject({ reason: 'because Bob said so' });
    const denied = draftOf({ hook_event_name: 'PermissionDenied', reason: 'risky' });
    expect(denied.facts).toMatchObject({ decision: 'reject', decision_source: 'classifier' });
    expect(denied.content).toMatchObject({ reason: 'risky' });
  });

  it.each([
    ['Read', { file_path: '/a' }, '/a'],
    ['NotebookEdit', { notebook_path: '/n.ipynb' }, '/n.ipynb'],
    ['mcp__tickets__read', { file_path: '/a' }, undefined],
    ['Bash', { command: 'cat /a' }, undefined],
  ])('takes the file of a %s call into the facts', (tool_name, tool_input, file_path) => {
    const { facts, content } = draftOf({ hook_event_name: 'PreToolUse', tool_name, tool_input });
    expect(facts.file_path).toBe(file_path);
    expect(content).toMatchObject({ tool_input });
  });

  it('names the MCP server from the member, else from the tool name', () => {
    const tool_name = 'mcp__plugin_x_tickets__create';
    expect(draftOf({ hook_event_name: 'PreToolUse', tool_name }).facts.mcp_server).toBe('plugin_x_tickets');
    const mcp_server = { name: 'tickets', source: 'project' };
    const named = draftOf({ hook_event_name: 'PreToolUse', tool_name, mcp_server });
    expect(named.facts.mcp_server).toBe('tickets');
    expect(named.content).toMatchObject({ mcp_server });
  });

  it('reads counts and flags whatever their wire type, and keeps what it had to round', () => {
    expect(draftOf({ hook_event_name: 'PostToolUse', duration_ms: '122' }).facts.duration_ms).toBe(122);
    const rounded = draftOf({ hook_event_name: 'PostToolUse', duration_ms: 12.6 });
    expect(rounded.facts.duration_ms).toBe(13);
    expect(rounded.content).toMatchObject({ duration_ms: '12.6' });
    const odd = draftOf({ hook_event_name: 'PostToolUse', duration_ms: 'soon', session_id: { a: 1 } });
    expect(odd.facts).not.toHaveProperty('duration_ms');
    expect(odd.content).toMatchObject({ duration_ms: 'soon', session_id: { a: 1 } });
  });

  it('keeps text too long for an identifier in the content', () => {
    const long = 'x'.repeat(10_000);
    const { facts, content } = draftOf({ hook_event_name: 'PreToolUse', tool_name: long });
    expect(facts).not.toHaveProperty('tool_name');
    expect(content).toMatchObject({ tool_name: long });
  });
});

describe('PostToolBatch', () => {
  const call = (tool_use_id: string, tool_response: JsonValue, more = {}) => ({
    tool_name: 'Bash',
    tool_input: { command: 'ls' },
    tool_use_id,
    tool_response,
    ...more,
  });

  it('becomes one record per call, with what the batch says of all', () => {
    const tool_calls = [call('t1', 'Permission to use Bash has been denied.'), call('t2', 'total 3')];
    const drafts = expand({
      ...COMMON,
      hook_event_name: 'PostToolBatch',
      tool_calls,
      effort: { level: 'low' },
    });
    expect(drafts).toMatchObject([
      {
        draft: {
          type: 'tool.reported',
          facts: { tool_use_id: 't1', session_id: 's-1', told: 'denied', decision_source: 'rule' },
          content: { effort: { level: 'low' }, tool_input: { command: 'ls' } },
        },
      },
      {
        draft: { facts: { tool_use_id: 't2', told: 'unrecognised' }, content: { tool_response: 'total 3' } },
      },
    ]);
  });

  it('gives calls without an id keys of their own', () => {
    const tool_calls = [{ tool_name: 'Bash' }, { tool_name: 'Bash' }];
    const keys = expand({ hook_event_name: 'PostToolBatch', tool_calls }).map((expanded) =>
      expanded.kind === 'draft' ? expanded.draft.natural_key.join() : '',
    );
    expect(new Set(keys).size).toBe(2);
  });

  it('is still one record when it is empty or has no list', () => {
    for (const tool_calls of [[], undefined, 'none']) {
      const drafts = expand({ ...COMMON, hook_event_name: 'PostToolBatch', tool_calls });
      expect(drafts).toMatchObject([{ kind: 'draft', draft: { type: 'tool.reported' } }]);
      expect(drafts[0]).not.toHaveProperty('draft.facts.told');
    }
  });

  it('quarantines an entry that is no object, with its own bytes, and keeps the others', () => {
    const expanded = expand({ hook_event_name: 'PostToolBatch', tool_calls: [5, call('t', 'x')] });
    expect(expanded).toMatchObject([
      { kind: 'quarantined', item: { reason: 'item_shape_invalid', pointer: '/tool_calls/0' } },
      { kind: 'draft' },
    ]);
    expect(expanded[0]?.kind === 'quarantined' && new TextDecoder().decode(expanded[0].item.bytes)).toBe('5');
  });

  it('is kept whole where its calls would repeat too much', () => {
    const cwd = 'x'.repeat(1_000_000);
    const expanded = expand({
      cwd,
      hook_event_name: 'PostToolBatch',
      tool_calls: Array.from({ length: 70 }, () => ({})),
    });
    expect(expanded).toMatchObject([
      { kind: 'quarantined', item: { reason: 'body_expands_too_large', pointer: '' } },
    ]);
  });

  it('lets no call speak for the batch', () => {
    const tool_calls = [call('t', 'x', { session_id: 's-2', hook_event_name: 'SessionEnd' })];
    const [expanded] = expand({ ...COMMON, hook_event_name: 'PostToolBatch', tool_calls });
    expect(expanded).toMatchObject({
      draft: {
        type: 'tool.reported',
        facts: { session_id: 's-1' },
        content: { extensions: { tool_call: { session_id: 's-2' } } },
      },
    });
  });
});

describe('keys of hook events', () => {
  const body = { ...COMMON, hook_event_name: 'Notification', message: 'waiting' };

  it('are the same for the same event in another spelling', () => {
    const spaced = JSON.stringify(Object.fromEntries(Object.entries(body).reverse()), null, 2);
    expect(expand(spaced)).toMatchObject([{ draft: { natural_key: draftOf(body).natural_key } }]);
  });

  it('differ where content, tool use or idempotency key differ', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        const key = draftOf(body).natural_key;
        expect(draftOf({ ...body, note: text }).natural_key).not.toEqual(key);
        expect(draftOf({ ...body, tool_use_id: text }).natural_key).not.toEqual(key);
        expect(draftOf(body, { idempotency_key: text }).natural_key).not.toEqual(key);
      }),
    );
  });

  it('do not depend on who delivered the event or when', () => {
    const more = { principal: 'laptop-2', received_at: '2027-01-01T00:00:00.000Z', envelope_id: 'x' };
    expect(draftOf(body, more).natural_key).toEqual(draftOf(body).natural_key);
  });
});

describe('hook bodies that cannot be sealed as they are', () => {
  it.each([
    ['{"hook_event_name":"Stop","n":1e999}', 'json_inexact_number', '/n'],
    ['{"a":1,"a":2}', 'json_duplicate_key', '/a'],
    ['{"a":"\\ud800"}', 'json_lone_surrogate', '/a'],
    [`{"a":${'['.repeat(70)}${']'.repeat(70)}}`, 'json_too_deep', `/a${'/0'.repeat(63)}`],
    ['[1]', 'item_shape_invalid', ''],
    ['{"a":', 'body_undecodable', ''],
  ])('are quarantined whole: %s', (text, reason, pointer) => {
    const bytes = new TextEncoder().encode(text);
    expect(expand(bytes)).toEqual([{ kind: 'quarantined', item: { reason, pointer, bytes } }]);
  });
});
