import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixtures } from '../support/fixtures.ts';
import { githubExamples, githubHeaders } from '../support/github-deliveries.ts';
import { getAll, makeTempDir, post, runAffidavit, startServer, type TestServer } from '../support/server.ts';

const [GITHUB_SECRET, NEXT_GITHUB_SECRET] = ['github-secret-of-the-file', 'github-secret-of-the-environment'];
const GITLAB_TOKEN = 'gitlab-token-of-the-environment';
const MAPPINGS = { acme: { facts: { model: 'm', session_id: 's' } } };

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
beforeAll(async () => {
  folder = await makeTempDir();
  const keys = join(folder.path, 'keys');
  await mkdir(keys, { mode: 0o700 });
  await writeFile(
    join(keys, 'webhook-secrets.json'),
    JSON.stringify({ github: [GITHUB_SECRET, NEXT_GITHUB_SECRET], gitlab: [GITLAB_TOKEN] }),
  );
  await chmod(join(keys, 'webhook-secrets.json'), 0o600);
  const mappings = join(folder.path, 'mappings.json');
  await writeFile(mappings, JSON.stringify(MAPPINGS));
  server = await startServer(folder.path, {
    AFFIDAVIT_INGEST_GATEWAY_MAPPINGS: mappings,
  });
}, 60_000);
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

interface Told {
  readonly type: string;
  readonly source: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

describe('a running server', () => {
  it('seals what forges, feeds and described gateways send, and verifies', async () => {
    const push = githubExamples().find(({ event }) => event === 'push')!;
    const body = JSON.stringify(push.payload);
    const contentType = 'application/json';
    const statuses: number[] = [];
    for (const secret of [GITHUB_SECRET, NEXT_GITHUB_SECRET, 'of-nobody-at-all']) {
      const headers = githubHeaders('push', Buffer.from(body), { secret });
      const sent = await post(server, { path: '/v1/webhooks/github', contentType, body, headers });
      statuses.push(sent.status);
    }
    const feeds: [path: string, body: object][] = [
      ['/v1/webhooks/gitlab', readFixtures('gitlab').get('merge-request')!],
      ['/v1/identity', readFixtures('identity').get('scim-user')!],
      ['/v1/gateways/kong', readFixtures('gateways').get('kong-proxy')!],
      ['/v1/gateways/acme', { m: 'claude', s: 's-9' }],
    ];
    for (const [path, item] of feeds) {
      const headers = { 'x-gitlab-token': GITLAB_TOKEN };
      const sent = await post(server, { path, contentType, body: JSON.stringify(item), headers });
      statuses.push(sent.status);
    }
    expect(statuses).toEqual([200, 200, 401, 200, 200, 200, 200]);
    await server.sealed();
    const records = await getAll<Told>(server, '/v1/records');
    expect(records.map(({ source, type }) => `${source} ${type}`).sort()).toEqual([
      // One of the deliveries was a repeat.
      'affidavit ingest.counted',
      'forge change.merged',
      'forge change.pushed',
      'gateway message.observed',
      'gateway message.observed',
      'gateway model.called',
      'gateway model.called',
      'identity identity.joined',
    ]);
    expect(records.find(({ type }) => type === 'change.pushed')!.facts).toMatchObject({
      collector: 'webhook:github',
      repository: 'Codertocat/Hello-World',
    });
    const verified = await runAffidavit(['verify', join(folder.path, 'archive')]);
    expect(verified.code).toBe(0);
    for (const secret of [GITHUB_SECRET, NEXT_GITHUB_SECRET, GITLAB_TOKEN]) {
      expect(server.stdout() + server.stderr()).not.toContain(secret);
    }
  }, 60_000);
});
