import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectComplianceApi } from '../../../commands/collect-platforms.ts';
import { loadConfig } from '../../../config.ts';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { prepareBench, TOKEN, type Bench } from '../receivers/setup.ts';
import { makeTempDir } from '../../support/server.ts';

const KEY = 'platform-key-canary-4715';
const ACTIVITIES = Array.from({ length: 5 }, (_, index) => ({
  id: `activity_${String(index)}`,
  created_at: `2026-03-01T09:0${String(index)}:00.000Z`,
  type: [
    'sso_login_succeeded',
    'platform_api_key_created',
    'claude_code_x',
    'role_assignment_revoked',
    'org_x',
  ][index],
  actor: { type: 'user_actor', email_address: 'ada@example.com' },
  organization_uuid: 'org-1',
}));

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let platform: Server;
let asked: URL[];
/** What the platform does instead of answering, by the number of the request. */
let refuse: (request: number) => number | undefined;
let bench: Bench;
let fails: boolean;
let app: ReturnType<typeof buildReceivers>;
let lines: string[];
const output = { isTerminal: false, write: (text: string) => void lines.push(text) };

beforeEach(async () => {
  folder = await makeTempDir();
  await writeFile(join(folder.path, 'key'), `${KEY}\n`);
  [asked, lines, fails, refuse] = [[], [], false, () => undefined];
  platform = createServer((request, response) => {
    const url = new URL(request.url!, 'http://platform');
    asked.push(url);
    const status = request.headers['x-api-key'] === KEY ? (refuse(asked.length) ?? 200) : 401;
    const from = url.searchParams.get('created_at.gte') ?? '';
    const after = url.searchParams.get('after_id');
    const all = ACTIVITIES.filter(({ created_at }) => created_at >= from);
    const start = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const data = all.slice(start, start + Number(url.searchParams.get('limit')));
    const has_more = start + data.length < all.length;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ data, has_more, first_id: data[0]?.id, last_id: data.at(-1)?.id ?? null }));
  }).listen(0, '127.0.0.1');
  await once(platform, 'listening');
  bench = prepareBench({
    append: () =>
      fails ? Promise.reject(new PipelineError('LOG_UNAVAILABLE', 'no room')) : Promise.resolve(),
  });
  app = buildReceivers(bench.options);
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  platform.close();
  await app.close();
  await folder.remove();
});

const urlOf = (server: Pick<Server, 'address'>) =>
  `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

function pull(options: object = {}): Promise<void> {
  const config = { ...loadConfig(undefined, { AFFIDAVIT_DATA: folder.path }), collector_token: TOKEN };
  const common = { url: urlOf(platform), to: urlOf(app.server), keyFile: join(folder.path, 'key') };
  const chosen = { ...common, pageSize: '2', json: true, ...options };
  return collectComplianceApi(config, chosen, output, new AbortController().signal);
}

const cursor = async () =>
  JSON.parse(await readFile(join(folder.path, 'collect/compliance-api.json'), 'utf8')) as unknown;

function recordsOf() {
  const surrogates = createSurrogates(Buffer.alloc(32, 7));
  const normalise = createNormaliser({ surrogates });
  return bench.appended.flatMap((envelope) => normalise(envelope).records);
}

describe('a pull of the compliance API, from a stub', () => {
  it('posts every page as it came, moves the cursor, and tells of itself', async () => {
    await pull({ since: '2026-01-01T00:00:00Z' });
    expect(asked.map(({ searchParams }) => Object.fromEntries(searchParams))).toEqual([
      { limit: '2', order: 'asc', 'created_at.gte': '2026-01-01T00:00:00Z' },
      { limit: '2', order: 'asc', 'created_at.gte': '2026-01-01T00:00:00Z', after_id: 'activity_1' },
      { limit: '2', order: 'asc', 'created_at.gte': '2026-01-01T00:00:00Z', after_id: 'activity_3' },
    ]);
    const records = recordsOf();
    expect(records.map(({ type }) => type)).toEqual([
      'event.observed',
      'auth.observed',
      'identity.key_created',
      'event.observed',
      'event.observed',
      'identity.role_revoked',
      'event.observed',
      'administration.changed',
      'collector.pulled',
    ]);
    expect(records[1]).toMatchObject({
      facts: {
        source_event: 'sso_login_succeeded',
        organization_id: 'org-1',
        occurred_at: '2026-03-01T09:00:00.000Z',
        request_id: 'activity_0',
      },
      person: { claimed_user: 'ada@example.com', claimed_user_source: 'actor.email_address' },
      content: ACTIVITIES[0],
    });
    const told = { start_cursor: null, last_id: 'activity_4', count: 5 };
    expect(records.at(-1)!.content).toEqual({ source: 'compliance-api', ...told });
    expect(JSON.parse(lines.join(''))).toEqual(told);
    expect(await cursor()).toEqual({ created_at: '2026-03-01T09:04:00.000Z', id: 'activity_4' });
  });

  it('begins again a while before the cursor, and what comes twice is the same record', async () => {
    await pull();
    const first = new Set(recordsOf().map(({ id }) => id));
    bench.appended.splice(0);
    await pull({ pageSize: '2' });
    expect(asked.at(-1)!.searchParams.get('created_at.gte')).toBe('2026-03-01T08:49:00.000Z');
    const again = recordsOf().filter(({ type }) => type !== 'collector.pulled');
    expect(again.every(({ id }) => first.has(id))).toBe(true);
    expect(again.length).toBe(8);
  });

  it('leaves the cursor where the log was last, and goes on from there', async () => {
    refuse = (request) => (request === 2 ? 503 : undefined);
    await expect(pull()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await cursor()).toEqual({ created_at: '2026-03-01T09:01:00.000Z', id: 'activity_1' });
    await pull();
    const ids = new Set(recordsOf().map(({ facts }) => facts.request_id));
    expect(ACTIVITIES.filter(({ id }) => !ids.has(id))).toEqual([]);
  });

  it('never moves the cursor past what the log refused', async () => {
    fails = true;
    await expect(pull()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(cursor()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(bench.appended).toEqual([]);
  });

  it('stops at a page that leads no further, and at a cursor that does not read', async () => {
    const answer = JSON.stringify({ data: [], has_more: true, last_id: null });
    platform
      .removeAllListeners('request')
      .on('request', (_, response: { end: (text: string) => void }) => response.end(answer));
    await expect(pull()).rejects.toThrow('leads no further');
    const file = join(folder.path, 'broken');
    await writeFile(file, '{}');
    await expect(pull({ cursor: file })).rejects.toMatchObject({ code: 'START_REFUSED' });
  });

  it('needs a token, and says nothing of the key', async () => {
    const config = loadConfig(undefined, { AFFIDAVIT_DATA: folder.path });
    const options = {
      url: 'http://127.0.0.1:1',
      to: 'http://127.0.0.1:1',
      keyFile: 'x',
      pageSize: '1',
      json: false,
    };
    const pulled = collectComplianceApi(config, options, output, new AbortController().signal);
    await expect(pulled).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    await expect(pull({ pageSize: '5001' })).rejects.toThrow('--page-size');
    refuse = () => 403;
    await expect(pull()).rejects.not.toThrow(KEY);
  });
});
