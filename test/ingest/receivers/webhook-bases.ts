import { GITHUB_SECRET, githubExamples, githubHeaders } from '../../support/github-deliveries.ts';
import { INFERENCE_PROMPT, INFERENCE_SECRET, inferenceHeaders } from '../../support/inference-hook.ts';
import { readFixtures } from '../../support/fixtures.ts';
import type { Base } from './mutations.ts';
import { NOW_MS } from './setup.ts';

const GITLAB_TOKEN = 'gitlab-token-canary-4714';
export const WEBHOOK_SECRETS = {
  github: [GITHUB_SECRET],
  gitlab: [GITLAB_TOKEN],
  anthropic: [INFERENCE_SECRET],
};

/** A form of one field, every byte of its value escaped. */
export function toForm(json: Buffer): Buffer {
  const escaped = Array.from(json, (byte) => `%${byte.toString(16).padStart(2, '0')}`);
  return Buffer.from(`payload=${escaped.join('')}`);
}

const GITHUB_BASES = githubExamples()
  .filter(({ set }) => set === 'api.github.com')
  .map(({ event, payload }, index): Base => ({
    url: '/v1/webhooks/github',
    contentType: index % 3 === 0 ? 'application/x-www-form-urlencoded' : 'application/json',
    body: Buffer.from(JSON.stringify(payload)),
    prove: (body) => githubHeaders(event, body),
  }));

const GITLAB_BASES = [...readFixtures('gitlab').values()].map((payload): Base => ({
  url: '/v1/webhooks/gitlab',
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(payload)),
  prove: () => ({ 'x-gitlab-token': GITLAB_TOKEN }),
}));

const INFERENCE_BASE: Base = {
  url: '/v1/webhooks/anthropic',
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(INFERENCE_PROMPT)),
  prove: (body) => inferenceHeaders(body, { atMs: NOW_MS }),
};

/** Deliveries of platforms that sign. The body of a form is the JSON text that it is to hold. */
export const WEBHOOK_BASES: readonly Base[] = [...GITHUB_BASES, ...GITLAB_BASES, INFERENCE_BASE];

const IDENTITY_EVENT = { event: 'left', user: 'ben', occurred_at: '2026-03-01T09:00:00Z', source: 'hr' };

const ACTIVITY = {
  id: 'activity_1',
  created_at: '2026-03-01T09:00:00Z',
  type: 'api_key_created',
  actor: { user_id: 'u-1' },
};
const AUDIT_EVENT = {
  '@timestamp': 1_772_442_000_123,
  _document_id: 'doc-1',
  action: 'protected_branch.policy_override',
  actor: 'ann',
  repo: 'acme/web',
};
const ACTIVITY_PAGE = {
  data: [ACTIVITY, { ...ACTIVITY, id: 'activity_2' }],
  has_more: false,
  last_id: 'activity_2',
};

/** Bodies of gateways and identity feeds, alone and one per line. */
export const FEED_BASES: readonly Base[] = [
  ...[...readFixtures('gateways')].map(
    ([name, body]) => [`/v1/gateways/${name.split('-')[0]!}`, body] as const,
  ),
  ...[ACTIVITY, ACTIVITY_PAGE].map((body) => ['/v1/activities/anthropic', body] as const),
  ['/v1/activities/github', AUDIT_EVENT] as const,
  ...[IDENTITY_EVENT, ...readFixtures('identity').values()].map((body) => ['/v1/identity', body] as const),
].flatMap(([url, body]): Base[] => [
  { url, contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) },
  {
    url,
    contentType: 'application/x-ndjson',
    body: Buffer.from(`${JSON.stringify(body)}\n${JSON.stringify(body)}`),
  },
]);
