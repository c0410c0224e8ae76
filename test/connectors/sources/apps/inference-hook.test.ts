import { describe, expect, it } from 'vitest';
import { inferenceHook } from '../../../../connectors/sources/apps/inference-hook.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import { INFERENCE_PROMPT } from '../../../support/inference-hook.ts';
import { envelope } from '../recorded.ts';

function draftsOf(body: object): DraftRecord[] {
  const stamped = envelope('anthropic-inference-hook', body, { principal: 'webhook:anthropic' });
  return inferenceHook.expand(stamped).map((expanded) => {
    if (expanded.kind !== 'draft') throw new Error(expanded.item.reason);
    return expanded.draft;
  });
}

describe('a question of an inference hook', () => {
  it('is a record of its own and one for each part of the conversation, as of a gateway', () => {
    const drafts = draftsOf(INFERENCE_PROMPT);
    expect(drafts.map(({ type, source, facts }) => [type, source, facts.source_event])).toEqual([
      ['event.observed', 'gateway', 'prompt.claude-ai'],
      ['message.observed', 'gateway', 'message.user'],
      ['tool.requested', 'gateway', 'tool_use'],
      ['tool.reported', 'gateway', 'tool_result'],
      ['message.observed', 'gateway', 'message.user'],
    ]);
    expect(drafts[2]!.facts).toMatchObject({
      session_id: 'conversation-1',
      tool_use_id: 'toolu_1',
      tool_name: 'Read',
      file_path: '/a',
    });
  });

  it('says who asked which model, through which application', () => {
    const [request] = draftsOf(INFERENCE_PROMPT);
    expect(request!.facts).toEqual({
      source_event: 'prompt.claude-ai',
      collector: 'webhook:anthropic',
      gateway: 'inference-hook',
      provider: 'anthropic',
      session_id: 'conversation-1',
      request_id: 'req_011',
      organization_id: 'tenant-1',
      claimed_user: 'ada@example.com',
      claimed_user_source: 'actor.email_address',
      model: 'claude-sonnet-5',
    });
    expect(request!.content).toMatchObject({
      source: { application: 'claude-ai' },
      metadata: { region: 'eu' },
      message_digests: expect.any(Array) as unknown[],
    });
    expect(JSON.stringify(request!.content)).not.toContain('read the file');
  });

  it('keeps each part of a conversation once, however often it is repeated', () => {
    const more = [...INFERENCE_PROMPT.messages, { role: 'user', content: 'and now?' }];
    const first = draftsOf(INFERENCE_PROMPT);
    const second = draftsOf({ ...INFERENCE_PROMPT, request_id: 'req_012', messages: more });
    const keys = new Set(first.map(({ natural_key }) => natural_key.join(' ')));
    const fresh = second.filter(({ natural_key }) => !keys.has(natural_key.join(' ')));
    expect(fresh.map(({ type }) => type)).toEqual(['event.observed', 'message.observed']);
  });

  it('is synthetic where an administrator tries the connection', () => {
    const test = { ...INFERENCE_PROMPT, source: { application: 'config-test' } };
    expect(draftsOf(test).map(({ facts }) => facts.synthetic)).toEqual([true, true, true, true, true]);
    expect(draftsOf(INFERENCE_PROMPT).map(({ facts }) => facts.synthetic)).not.toContain(true);
  });

  it.each([
    ['another event', { type: 'tool_call', request_id: 'r', tool_calls: [{ name: 'Bash' }] }],
    ['messages that are none', { ...INFERENCE_PROMPT, messages: 'text' }],
    ['nothing at all', {}],
  ])('is kept whole where it has %s', (_, body) => {
    const drafts = draftsOf(body);
    expect(drafts.map(({ type }) => type)).toEqual(['event.observed']);
    expect(drafts[0]!.content ?? {}).toEqual(body);
  });
});
