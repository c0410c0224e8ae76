import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectGithubAuditLog } from '../../../commands/collect-platforms.ts';
import { loadConfig } from '../../../config.ts';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { prepareBench, TOKEN, type Bench } from '../receivers/setup.ts';
import { GITHUB_TOKEN, startGithub } from '../../support/github-api.ts';
import { makeTempDir } from '../../support/server.ts';

const START_MS = Date.UTC(2026, 2, 1, 9);
const EVENTS = Array.from({ length: 5 }, (_, n) => ({
  '@timestamp': START_MS + n * 60_000,
  _document_id: `doc-${String(n)}`,
  action: ['git.push', 'pull_request.merge', 'org.add_member', 'hook.create', 'x.y'][n],
  actor: 'ann',
  org: 'acme',
}));

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let github: Awaited<ReturnType<typeof startGithub>>;
let bench: Bench;
let app: ReturnType<typeof buildReceivers>;
let lines: string[];
const output = { isTerminal: false, write: (text: string) => void lines.push(text) };

beforeEach(async () => {
  folder = await makeTempDir();
  await writeFile(join(folder.path, 'token'), `${GITHUB_TOKEN}\n`);
  lines = [];
  github = await startGithub('/orgs/acme/audit-log', () => EVENTS, { cursor: 'after' });
  bench = prepareBench();
  app = buildReceivers(bench.options);
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  github.close();
  await app.close();
  await folder.remove();
});

function pull(options: object = {}): Promise<void> {
  const config = { ...loadConfig(undefined, { AFFIDAVIT_DATA: folder.path }), collector_token: TOKEN };
  const to = `http://127.0.0.1:${String((app.server.address() as AddressInfo).port)}`;
  const source = { org: 'acme', include: 'all', apiUrl: github.url, tokenFile: join(folder.path, 'token') };
  return collectGithubAuditLog(
    config,
    { ...source, to, json: true, ...options },
    output,
    new AbortController().signal,
  );
}

const cursor = async () =>
  JSON.parse(await readFile(join(folder.path, 'collect/github-audit-log-orgs-acme.json'), 'utf8')) as unknown;

function records() {
  const surrogates = createSurrogates(Buffer.alloc(32, 7));
  const normalise = createNormaliser({ surrogates });
  return bench.appended.flatMap((envelope) => normalise(envelope).records);
}

describe('a pull of the audit log, from a stub', () => {
  it('posts every page, moves the cursor, and tells of itself', async () => {
    await pull({ since: '2026-01-01T00:00:00Z', phrase: 'repo:acme/web' });
    expect(Object.fromEntries(github.asked[0]!.url.searchParams)).toEqual({
      include: 'all',
      order: 'asc',
      per_page: '100',
      phrase: 'repo:acme/web created:>=2026-01-01T00:00:00+00:00',
    });
    expect(github.asked).toHaveLength(3);
    expect(records().map(({ type }) => type)).toEqual([
      'change.pushed',
      'change.merged',
      'access.changed',
      'administration.changed',
      'event.observed',
      'collector.pulled',
    ]);
    const told = { of: 'orgs-acme', start_cursor: null, last_id: 'doc-4', count: 5, quarantined_count: 0 };
    expect(records().at(-1)!.content).toEqual({ source: 'github-audit-log', ...told });
    expect(JSON.parse(lines.join(''))).toEqual(told);
    expect(await cursor()).toEqual({ created_at: '2026-03-01T09:04:00.000Z', id: 'doc-4' });
  });

  it('begins again an hour before the cursor, and what comes twice is the same record', async () => {
    await pull();
    const first = new Set(records().map(({ id }) => id));
    bench.appended.splice(0);
    await pull();
    expect(github.asked.at(-1)!.url.searchParams.get('phrase')).toBe('created:>=2026-03-01T08:04:00+00:00');
    const again = records().filter(({ type }) => type !== 'collector.pulled');
    expect(again.filter(({ id }) => !first.has(id))).toEqual([]);
    expect(again).toHaveLength(5);
  });

  it('leaves the cursor where the log was last when GitHub fails', async () => {
    github.state.refuse = (count) => (count === 2 ? { status: 404 } : undefined);
    await expect(pull()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await cursor()).toEqual({ created_at: '2026-03-01T09:01:00.000Z', id: 'doc-1' });
  });

  it('never moves the cursor past what the receivers refuse', async () => {
    github.state.refuse = () => ({ body: [{ ...EVENTS[0], padding: 'x'.repeat(2_100_000) }] });
    await expect(pull()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(cursor()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes nothing for a page that is none', async () => {
    github.state.refuse = () => ({ body: { message: 'canary-of-the-page' } });
    await expect(pull()).rejects.toSatisfy((error) => !String(error).includes('canary'));
    expect(bench.appended).toEqual([]);
  });

  it('asks for that of an enterprise', async () => {
    await expect(pull({ org: undefined, enterprise: 'acme-inc' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    expect(github.asked[0]!.url.pathname).toBe('/enterprises/acme-inc/audit-log');
  });

  it.each([
    [{ org: undefined }],
    [{ enterprise: 'x' }],
    [{ org: 'a/b' }],
    [{ include: 'some' }],
    [{ since: 'x' }],
  ])('is not made with %o', async (options) => {
    await expect(pull(options)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    expect(github.asked).toEqual([]);
  });
});
