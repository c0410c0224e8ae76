import type { Envelope } from '../../schemas/envelope.ts';

/** A hook call that becomes one record; `n` makes it distinct, as `tool_use_id` t0, t1 …. */
export function hookEnvelope(n: number): Envelope {
  const body = {
    session_id: 's',
    hook_event_name: 'PreToolUse',
    tool_name: 'Bash',
    tool_use_id: `t${n}`,
    tool_input: { command: 'ls -la' },
  };
  return {
    v: 1,
    envelope_id: `envelope-${n}`,
    source: 'claude-code-hook',
    receiver: '/v1/hooks/claude-code',
    principal: 'workstation',
    received_at: '2026-11-21T08:59:59.000Z',
    content_type: 'application/json',
    item_count: 1,
    idempotency_key: null,
    body: Buffer.from(JSON.stringify(body)),
  };
}
