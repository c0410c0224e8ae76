import { describe, expect, it } from 'vitest';
import { claudeCodeTranscript } from '../../../../connectors/sources/claude-code/transcript.ts';
import { envelope } from '../recorded.ts';

const LINE = {
  type: 'user',
  sessionId: 's-1',
  uuid: 'u-1',
  timestamp: '2026-01-02T03:04:05.678Z',
  version: '2.1.329',
  promptId: 'p-1',
};
const result = (block: object, more: object = {}) => ({
  ...LINE,
  message: { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't-1', ...block }] },
  ...more,
});

function draftsOf(...lines: readonly object[]) {
  const body = lines.map((line) => JSON.stringify(line)).join('\n');
  const request = envelope('claude-code-transcript', body, { content_type: 'application/x-ndjson' });
  return claudeCodeTranscript.expand(request).map((one) => {
    if (one.kind === 'quarantined') throw new Error(one.item.reason);
    return one.draft;
  });
}

describe('a line of a transcript', () => {
  it('that a person wrote is a prompt with its text', () => {
    const [draft, ...others] = draftsOf({ ...LINE, message: { role: 'user', content: 'please' } });
    expect(others).toEqual([]);
    expect(draft).toMatchObject({
      type: 'prompt.submitted',
      source: 'transcript',
      facts: {
        session_id: 's-1',
        prompt_id: 'p-1',
        app_version: '2.1.329',
        occurred_at: '2026-01-02T03:04:05.678Z',
      },
      content: { message: { role: 'user', content: 'please' }, uuid: 'u-1' },
    });
  });

  it.each([
    ['without an error', {}, {}, { told: 'executed', success: true }],
    [
      'rejected by a rule',
      { is_error: true, content: 'no' },
      decided('reject', { ruleSource: 'userSettings' }),
      { told: 'denied', decision: 'reject', decision_source: 'rule' },
    ],
    [
      'rejected by the configuration',
      { is_error: true, content: 'no' },
      decided('reject', { source: 'config' }),
      { told: 'denied', decision_source: 'config' },
    ],
    [
      'accepted, with an error',
      { is_error: true, content: 'no' },
      decided('accept', { source: 'user_permanent' }),
      { told: 'failed', success: false, decision_source: 'user_permanent' },
    ],
    [
      'of a tool that is not there',
      { is_error: true, content: '<tool_use_error>Error: No such tool available: X</tool_use_error>' },
      {},
      { told: 'unavailable', success: false },
    ],
    [
      'with an error that says nothing known',
      { is_error: true, content: 'hm' },
      {},
      { told: 'unrecognised', success: false },
    ],
  ])('with a result %s tells what became of the call', (_, block, more, facts) => {
    expect(draftsOf(result(block, more))).toMatchObject([
      { type: 'tool.reported', facts: { tool_use_id: 't-1', ...facts } },
    ]);
  });

  it('of the model yields its answer and each tool that it asked for', () => {
    const content = [
      { type: 'text', text: 'I read it.' },
      { type: 'tool_use', id: 't-1', name: 'Read', input: { file_path: '/a' } },
      { type: 'tool_use', id: 't-2', name: 'mcp__tickets__create', input: {} },
    ];
    const message = { id: 'm-1', role: 'assistant', model: 'a-model', content, usage: { output_tokens: 7 } };
    const drafts = draftsOf({ ...LINE, type: 'assistant', message, requestId: 'r-1' });
    expect(drafts).toMatchObject([
      { type: 'model.answered', facts: { message_id: 'm-1', request_id: 'r-1', model: 'a-model' } },
      { type: 'tool.requested', facts: { tool_use_id: 't-1', tool_name: 'Read', file_path: '/a' } },
      { type: 'tool.requested', facts: { tool_use_id: 't-2', mcp_server: 'tickets' } },
    ]);
    expect(new Set(drafts.map(({ natural_key }) => natural_key.join())).size).toBe(3);
  });

  it('of tool calls alone keeps what stands beside them, once', () => {
    const content = ['t-1', 't-2'].map((id) => ({ type: 'tool_use', id, name: 'Read', input: {} }));
    const message = { id: 'm-1', role: 'assistant', content, usage: { output_tokens: 7 } };
    const drafts = draftsOf({ ...LINE, type: 'assistant', message });
    expect(drafts.map(({ content: kept }) => kept?.['line'] !== undefined)).toEqual([true, false]);
    expect(drafts[0]?.content).toMatchObject({ line: { message: { usage: { output_tokens: 7 } } } });
  });

  it('with a clock that is none keeps what it says', () => {
    const [draft] = draftsOf({ ...LINE, timestamp: 'yesterday', message: { role: 'user', content: 'a' } });
    expect(draft?.facts).not.toHaveProperty('occurred_at');
    expect(draft?.content).toMatchObject({ timestamp: 'yesterday' });
  });
});

function decided(decision: string, more: object): object {
  return { permissionDecision: { decision, source: 'user_reject', ...more } };
}
