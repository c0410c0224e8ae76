import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';

/** A payload that GitHub sent, or a server of its enterprise edition. */
export interface GithubExample {
  readonly set: string;
  readonly event: string;
  readonly payload: Record<string, unknown>;
}

const SETS = ['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35'];
const require = createRequire(import.meta.url);

/** Every payload of the package `@octokit/webhooks-examples`. */
export function githubExamples(): GithubExample[] {
  return SETS.flatMap((set) => {
    const events = require(`@octokit/webhooks-examples/${set}/index.json`) as {
      readonly name: string;
      readonly examples: readonly Record<string, unknown>[];
    }[];
    return events.flatMap(({ name, examples }) => examples.map((payload) => ({ set, event: name, payload })));
  });
}

export const GITHUB_SECRET = 'github-secret-canary-4713';

/** What GitHub sends beside a body. */
export function githubHeaders(
  event: string,
  body: Buffer,
  { secret = GITHUB_SECRET, delivery = '72d3162e-cc78-11e3-81ab-4c9367dc0958' } = {},
): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/044aadd',
    'x-github-event': event,
    'x-github-delivery': delivery,
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
}
