import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { litellm } from '../../../../connectors/sources/gateways/litellm.ts';
import type { JsonObject } from '../../../../schemas/json.ts';
import { envelope } from '../recorded.ts';

const FOLDER = join(
  import.meta.dirname,
  '../../../../connectors/simulation/recordings/claude-code-2.1.329/via-litellm',
);
const RECORDED = JSON.parse(
  readFileSync(join(FOLDER, '0022_v1_gateways_litellm.json'), 'utf8'),
) as JsonObject[];

function draftsOf(...items: readonly object[]) {
  return litellm.expand(envelope('litellm', items)).map((one) => {
    if (one.kind === 'quarantined') throw new Error(one.item.reason);
    return one.draft;
  });
}

describe('a call through LiteLLM', () => {
  it('has people, model, tokens, cost and join keys among its facts', () => {
    expect(draftsOf(RECORDED[0]!)[0]).toMatchObject({
      type: 'model.called',
      source: 'gateway',
      claimed_subject: 'default_user_id',
      facts: {
        gateway: 'litellm',
        source_event: 'anthropic_messages',
        occurred_at: '2026-11-21T09:10:20.509385Z',
        duration_ms: 149,
        session_id: '647e61d4-2018-45dc-b215-23fba2e1a92d',
        request_id: 'd694e66c-6f25-43c0-9fa4-ecb9c257f279',
        message_id: 'msg_5n2l72bbjru',
        provider: 'anthropic',
        model: 'claude-opus-5-5',
        virtual_key: 'litellm_proxy_master_key',
        claimed_user: 'default_user_id',
        claimed_user_source: 'metadata.user_api_key_user_id',
        install_id: 'c2d60906cff5e4cc39d4d7925c2e59b9e67440a1abd4ea947020d0458f6dd71f',
        input_tokens: 1271,
        output_tokens: 321,
        cache_read_tokens: 2000,
        cache_creation_tokens: 10,
        cost_usd_micros: 11_954,
        success: true,
      },
    });
  });

  it('keeps instructions and tool descriptions as digests alone', () => {
    const item = {
      messages: [
        { role: 'system', content: 'vendor instructions' },
        { role: 'user', content: 'please' },
      ],
      model_parameters: { tools: [{ name: 'Read', description: 'vendor description' }], max_tokens: 5 },
    };
    const drafts = draftsOf(item);
    expect(JSON.stringify(drafts)).not.toContain('vendor');
    expect(drafts.map(({ type, facts }) => [type, facts.source_event])).toEqual([
      ['model.called', 'unnamed'],
      ['message.observed', 'message.system'],
      ['message.observed', 'message.user'],
    ]);
    expect(drafts[0]?.content).toMatchObject({
      model_parameters: { max_tokens: 5 },
      tools_offered: { names: ['Read'], sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    });
    expect(drafts[1]).toMatchObject({ content: null, facts: { input_size_bytes: 19 } });
  });

  it('tells the same part of a conversation under the same key in each call of the session', () => {
    const keysOf = (items: readonly JsonObject[]) =>
      draftsOf(...items)
        .filter(({ type }) => type !== 'model.called')
        .map(({ natural_key }) => natural_key.join(' '));
    const all = new Set(keysOf(RECORDED));
    const last = new Set(keysOf(RECORDED.slice(-1)));
    // The last call repeats everything but what the models answered to it.
    expect([...all].filter((key) => !last.has(key))).toEqual([]);
    expect(keysOf(RECORDED).length).toBeGreaterThan(3 * all.size);
  });

  it.each([
    [{ status: 'success', guardrail: 'not_run' }, undefined],
    [{ status: 'success', guardrail: 'success' }, 'allow'],
    [{ status: 'failure', guardrail: 'guardrail_intervened' }, 'block'],
    [{ status: 'success', guardrail: 'guardrail_intervened' }, 'warn'],
    [{ status: 'success', guardrail: 'guardrail_intervened', masked: 2 }, 'redact'],
    [{ status: 'success', guardrail: 'guardrail_failed_to_respond' }, 'failed_open'],
  ])('says what the policy did: %o', ({ status, guardrail, masked }: Guarded, policy_outcome) => {
    const item = {
      status,
      status_fields: { guardrail_status: guardrail },
      guardrail_information: masked === undefined ? null : [{ masked_entity_count: { EMAIL: masked } }],
    };
    expect(draftsOf(item)[0]?.facts.policy_outcome).toBe(policy_outcome);
  });

  it('that failed says how', () => {
    const item = {
      status: 'failure',
      error_information: { error_class: 'BadRequestError', error_code: '400' },
    };
    expect(draftsOf(item)[0]).toMatchObject({
      type: 'model.failed',
      facts: { success: false, error_type: 'BadRequestError' },
    });
  });

  it('takes arguments that do not parse as the text that they are', () => {
    const answer = (text: string) => ({
      response: {
        choices: [
          {
            message: {
              role: 'assistant',
              tool_calls: [{ id: 't', function: { name: 'Read', arguments: text } }],
            },
          },
        ],
      },
    });
    expect(draftsOf(answer('{"a":1}'))[1]?.content).toEqual({ tool_input: { a: 1 } });
    expect(draftsOf(answer('{"a":'))[1]?.content).toEqual({ tool_input: '{"a":' });
    expect(draftsOf(answer('{"a":1,"a":2}'))[1]?.content).toEqual({ tool_input: '{"a":1,"a":2}' });
  });

  it('of another client has the session that its header names, or none', () => {
    const { facts } = draftsOf({ trace_id: 'ab12', end_user: 'bob' })[0]!;
    expect(facts).toMatchObject({ trace_id: 'ab12', claimed_user: 'bob', claimed_user_source: 'end_user' });
    expect(facts).not.toHaveProperty('session_id');
  });
});

interface Guarded {
  readonly status: string;
  readonly guardrail: string;
  readonly masked?: number;
}
