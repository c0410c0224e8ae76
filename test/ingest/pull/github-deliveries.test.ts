import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectGithubDeliveries } from '../../../commands/collect-platforms.ts';
import { loadConfig } from '../../../config.ts';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { prepareBench, TOKEN, type Bench } from '../receivers/setup.ts';
import { GITHUB_TOKEN, startGithub } from '../../support/github-api.ts';
import { makeTempDir } from '../../support/server.ts';

const PATH = '/repos/acme/web/hooks/77/deliveries';
const DAY_MS = 24 * 60 * 60_000;

interface Attempt {
  readonly guid: string;
  readonly at: string;
  readonly status: number;
}

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let github: Awaited<ReturnType<typeof startGithub>>;
let bench: Bench;
let app: ReturnType<typeof buildReceivers>;
let lines: string[];
/** Newest first, as GitHub lists them; ids are longer than a double is exact. */
let attempts: Attempt[];
const output = { isTerminal: false, write: (text: string) => void lines.push(text) };
const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
const idOf = (place: number) => 9_007_199_254_740_993n + 2n * BigInt(place);

beforeEach(async () => {
  folder = await makeTempDir();
  await writeFile(join(folder.path, 'token'), `${GITHUB_TOKEN}\n`);
  [lines, attempts] = [[], []];
  github = await startGithub(PATH, () =>
    attempts.map(({ guid, at, status }, place) => ({
      id: `<${String(idOf(place))}>`,
      guid,
      delivered_at: at,
      redelivery: false,
      duration: 0.1,
      status: status === 200 ? 'OK' : 'failed to connect',
      status_code: status,
      event: 'push',
      action: null,
    })),
  );
  bench = prepareBench();
  app = buildReceivers(bench.options);
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  github.close();
  await app.close();
  await folder.remove();
});

function run(options: object = {}): Promise<boolean> {
  const config = { ...loadConfig(undefined, { AFFIDAVIT_DATA: folder.path }), collector_token: TOKEN };
  const to = `http://127.0.0.1:${String((app.server.address() as AddressInfo).port)}`;
  const source = { repo: 'acme/web', hook: '77', apiUrl: github.url, tokenFile: join(folder.path, 'token') };
  const chosen = { ...source, to, dryRun: false, json: true, pauseMs: 0, ...options };
  return collectGithubDeliveries(config, chosen, output, new AbortController().signal);
}

const redelivered = () =>
  github.asked.filter(({ method }) => method === 'POST').map(({ url }) => url.pathname.split('/').at(-2));

function records() {
  const surrogates = createSurrogates(Buffer.alloc(32, 7));
  const normalise = createNormaliser({ surrogates });
  return bench.appended.flatMap((envelope) => normalise(envelope).records);
}

const told = () => JSON.parse(lines.splice(0).join('')) as object;

describe('lost deliveries of a webhook, from a stub', () => {
  it('are asked for once each, by the newest attempt, unless any attempt was answered', async () => {
    attempts = [
      { guid: 'again', at: ago(0.1), status: 200 },
      { guid: 'twice', at: ago(0.2), status: 503 },
      { guid: 'again', at: ago(1), status: 0 },
      { guid: 'twice', at: ago(1.5), status: 0 },
      { guid: 'fine', at: ago(2), status: 204 },
      { guid: 'refused', at: ago(2.9), status: 401 },
    ];
    expect(await run()).toBe(true);
    expect(redelivered()).toEqual([String(idOf(1)), String(idOf(5))]);
    const counts = { read_count: 4, failed_count: 2, lost_count: 0, asked_count: 2 };
    expect(told()).toEqual({ hook: PATH, ...counts });
    expect(records().map(({ type, content }) => [type, content])).toEqual([
      ['collector.pulled', { source: 'github-deliveries', hook: PATH, ...counts }],
    ]);
  });

  it('that are too old are told as lost, once', async () => {
    attempts = [
      { guid: 'open', at: ago(2), status: 500 },
      { guid: 'late', at: ago(3.1), status: 0 },
      { guid: 'later', at: ago(9), status: 502 },
    ];
    await run();
    expect(told()).toMatchObject({ lost_count: 2, asked_count: 1 });
    const [loss] = records();
    expect(loss).toMatchObject({
      type: 'collector.loss',
      facts: { reason: 'github_delivery_too_old', metric_value: '2' },
      content: { lost_count: 2, deliveries: [{ guid: 'late', status_code: 0 }, { guid: 'later' }] },
    });
    bench.appended.splice(0);
    await run();
    expect(told()).toMatchObject({ read_count: 1, lost_count: 0, asked_count: 1 });
    expect(records().map(({ type }) => type)).toEqual(['collector.pulled']);
  });

  it('are the same loss where the run died before it could note it', async () => {
    attempts = [{ guid: 'late', at: ago(3.1), status: 0 }];
    for (const state of ['one', 'two']) await run({ state: join(folder.path, state) });
    const losses = records().filter(({ type }) => type === 'collector.loss');
    expect(losses.map(({ id }) => id)).toEqual([losses[0]!.id, losses[0]!.id]);
  });

  it('are only shown by a dry run', async () => {
    attempts = [{ guid: 'open', at: ago(1), status: 0 }];
    expect(await run({ dryRun: true, json: false })).toBe(true);
    expect(lines.join('')).toBe(
      '1 deliveries read, 1 without success, 0 asked for again, 0 lost\nopen push 0\n',
    );
    expect([redelivered(), bench.appended]).toEqual([[], []]);
  });

  it('that GitHub will not send again make the run fail, and the others are asked for', async () => {
    attempts = [
      { guid: 'gone', at: ago(1), status: 0 },
      { guid: 'open', at: ago(1), status: 0 },
    ];
    github.state.onPost = (url) => (url.pathname.includes(String(idOf(0))) ? 422 : 202);
    expect(await run()).toBe(false);
    expect(redelivered()).toHaveLength(2);
    expect(told()).toMatchObject({ failed_count: 2, asked_count: 1 });
  });

  it.each([
    ['an app', { repo: undefined, hook: undefined, app: true }, '/app/hook/deliveries'],
    ['an organisation', { repo: undefined, org: 'acme' }, '/orgs/acme/hooks/77/deliveries'],
  ])('are looked for at %s', async (_, options, path) => {
    await expect(run(options)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(github.asked[0]!.url.pathname).toBe(path);
  });

  it.each([
    [{ repo: 'acme' }],
    [{ repo: 'acme/../x' }],
    [{ hook: '7/8' }],
    [{ org: 'acme' }],
    [{ repo: undefined }],
  ])('are not looked for with %o', async (options) => {
    await expect(run(options)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    expect(github.asked).toEqual([]);
  });
});

describe("GitHub's limits", () => {
  it.each([
    ['a time to wait', { status: 403, headers: { 'retry-after': '0' } }],
    [
      'nothing remaining',
      { status: 429, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' } },
    ],
  ])('are kept where it names %s', async (_, refusal) => {
    attempts = [{ guid: 'open', at: ago(1), status: 0 }];
    github.state.refuse = (count) => (count === 1 ? refusal : undefined);
    expect(await run()).toBe(true);
    expect(github.asked.map(({ method }) => method)).toEqual(['GET', 'GET', 'POST']);
  });

  it('end the run where the wait would be long, and nothing is noted', async () => {
    attempts = [{ guid: 'late', at: ago(4), status: 0 }];
    const reset = String(Math.ceil(Date.now() / 1000) + 3600);
    github.state.refuse = () => ({
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
    });
    await expect(run()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(github.asked).toHaveLength(1);
    github.state.refuse = () => undefined;
    await run();
    expect(told()).toMatchObject({ lost_count: 1 });
  });

  it('never take the token elsewhere', async () => {
    attempts = [{ guid: 'open', at: ago(1), status: 0 }];
    github.state.refuse = () => ({ headers: { link: '<http://127.0.0.1:9/x>; rel="next"' }, body: [] });
    await expect(run()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    github.state.refuse = () => ({ status: 302, headers: { location: 'http://127.0.0.1:9/' } });
    await expect(run()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
