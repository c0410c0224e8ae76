import { createHmac } from 'node:crypto';

export const INFERENCE_SECRET = `whsec_${Buffer.from('inference-hook-canary-4716').toString('base64')}`;

/** A request as Anthropic documents it; made up, since none was recorded. */
export const INFERENCE_PROMPT = {
  type: 'prompt',
  request_id: 'req_011',
  tenant_id: 'tenant-1',
  actor: { type: 'user', id: 'user_01', email_address: 'ada@example.com' },
  source: { application: 'claude-ai' },
  session_id: 'conversation-1',
  model: 'claude-sonnet-5',
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'read the file' }] },
    {
      role: 'assistant',
      content: [{ type: 'tool_use', id: 'toolu_1', name: 'Read', input: { file_path: '/a' } }],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'text' }] },
    { role: 'user', content: [{ type: 'attachment', name: 'a.pdf', text: 'of the file' }] },
  ],
  metadata: { region: 'eu' },
};

/** What Anthropic sends beside a body. */
export function inferenceHeaders(
  body: Buffer,
  { secrets = [INFERENCE_SECRET], id = 'msg_1', atMs }: { secrets?: string[]; id?: string; atMs: number },
): Record<string, string> {
  const seconds = String(Math.floor(atMs / 1000));
  const sign = (secret: string) =>
    createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
      .update(Buffer.concat([Buffer.from(`${id}.${seconds}.`), body]))
      .digest('base64');
  return {
    'content-type': 'application/json',
    'user-agent': 'anthropic-dlp/1',
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': secrets.map((secret) => `v1,${sign(secret)}`).join(' '),
  };
}
