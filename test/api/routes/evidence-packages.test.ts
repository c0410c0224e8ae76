import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PackageJob } from '../../../reports/package/packages.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import type { Problem } from '../../../schemas/problem.ts';
import type { Page } from '../../../api/http/page.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { unreachableStore } from '../../support/unreachable-store.ts';

const ZIP = 'bytes of a ZIP';
const PATH = '/v1/evidence-packages';
const order = {
  framework: 'soc2',
  period: { from: '2026-01-01T00:00:00Z', to: '2026-04-01T00:00:00.000Z' },
};

let stack: ApiStack;

beforeEach(async () => {
  stack = await openApiStack(unreachableStore(), { build: ({ path }) => writeFile(path, ZIP) });
});
afterEach(() => stack.close());

async function orderPackage(from: ApiStack = stack): Promise<PackageJob> {
  const answer = await from.request({ method: 'POST', url: PATH, payload: order });
  expect(answer.statusCode).toBe(202);
  return answer.json<PackageJob>();
}

async function settled(id: string, from: ApiStack = stack): Promise<PackageJob> {
  return vi.waitFor(async () => {
    const job = (await from.get(`${PATH}/${id}`)).json<PackageJob>();
    expect(job.state).not.toBe('running');
    return job;
  });
}

describe('evidence packages', () => {
  it('are ordered for the principal who asks and found at Location', async () => {
    const answer = await stack.request({ method: 'POST', url: PATH, payload: order });
    const judge = await openApiJudge(stack.app);
    judge.expectAnswer('post', PATH, answer);
    const job = answer.json<PackageJob>();
    expect(job).toMatchObject({ state: 'running', request: { ...order, requested_by: 'auditor-desk' } });
    expect(answer.headers.location).toBe(`${PATH}/${job.id}`);
    const found = await stack.get(`${PATH}/${job.id}`);
    judge.expectAnswer('get', `${PATH}/{id}`, found);
    expect(found.json<PackageJob>().id).toBe(job.id);
    await settled(job.id);
  });

  it('are downloaded with their name, length and digest', async () => {
    const { id } = await orderPackage();
    const job = await settled(id);
    expect(job.state).toBe('ready');
    const answer = await stack.get(`${PATH}/${id}/download`);
    const sha256 = createHash('sha256').update(ZIP);
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe(ZIP);
    expect(job.sha256).toBe(sha256.copy().digest('hex'));
    expect(answer.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-length': String(ZIP.length),
      'content-disposition': `attachment; filename="affidavit-${id}.zip"`,
      'repr-digest': `sha-256=:${sha256.digest('base64')}:`,
      'cache-control': 'no-store',
    });
  });

  it('answer HEAD with the same headers and no body', async () => {
    const { id } = await orderPackage();
    await settled(id);
    const answer = await stack.request({ method: 'HEAD', url: `${PATH}/${id}/download` });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-length']).toBe(String(ZIP.length));
    expect(answer.body).toBe('');
  });

  it('cannot be downloaded before they are ready', async () => {
    let finish: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (finish = resolve));
    const slow = await openApiStack(unreachableStore(), {
      build: ({ path }) => held.then(() => writeFile(path, ZIP)),
    });
    const { id } = await orderPackage(slow);
    const answer = await slow.get(`${PATH}/${id}/download`);
    expect(answer.statusCode).toBe(409);
    expect(answer.json<Problem>().code).toBe('PACKAGE_NOT_READY');
    expect(answer.headers['retry-after']).toBeDefined();
    finish();
    await settled(id, slow);
    await slow.close();
  });

  it('that failed say with which code', async () => {
    const failing = await openApiStack(unreachableStore(), {
      build: () => Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'the engine does not answer')),
    });
    const { id } = await orderPackage(failing);
    expect(await settled(id, failing)).toMatchObject({ state: 'failed', failure: 'STORE_UNAVAILABLE' });
    await failing.close();
  });

  it('whose file was taken away are a failure and not a cut-off download', async () => {
    const { id } = await orderPackage();
    await settled(id);
    await rm(await stack.packages.file(id));
    const answer = await stack.get(`${PATH}/${id}/download`);
    expect(answer.statusCode).toBe(500);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.headers['repr-digest']).toBeUndefined();
  });

  it.each(['', '/download'])('are not found under an unknown id%s', async (tail) => {
    for (const id of ['unknown', '..%2F..%2Fetc%2Fpasswd', '%00', '%0d%0aset-cookie:x']) {
      const answer = await stack.get(`${PATH}/${id}${tail}`);
      expect(answer.statusCode).toBe(404);
      expect(answer.json<Problem>().code).toBe('NOT_FOUND');
    }
  });

  it('are listed newest first, page by page, each once', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1) ids.push((await orderPackage()).id);
    const judge = await openApiJudge(stack.app);
    const seen: string[] = [];
    let url: string | undefined = `${PATH}?limit=3`;
    while (url !== undefined) {
      const answer = await stack.get(url);
      judge.expectAnswer('get', PATH, answer);
      const page = answer.json<Page<PackageJob>>();
      seen.push(...page.data.map((job) => job.id));
      expect(page.has_more).toBe(page.next_cursor !== null);
      const next: string | undefined = /^<(.*)>; rel="next"$/.exec(String(answer.headers.link))?.[1];
      if (page.has_more) expect(next).toContain(encodeURIComponent(String(page.next_cursor)));
      url = next;
    }
    expect(seen).toEqual(ids.reverse());
  });

  it.each([
    ['no body', undefined, 'PARAMETER_INVALID'],
    ['broken JSON', '{"framework":', 'BODY_MALFORMED'],
    ['an unknown framework', { ...order, framework: 'astrology' }, 'PARAMETER_INVALID'],
    ['no period', { framework: 'soc2' }, 'PARAMETER_INVALID'],
    ['an unknown member', { ...order, colour: 'red' }, 'PARAMETER_INVALID'],
    ['a day that does not exist', withPeriod('2026-02-30T00:00:00Z', order.period.to), 'PARAMETER_INVALID'],
    ['a local time', withPeriod('2026-02-03T00:00:00+01:00', order.period.to), 'PARAMETER_INVALID'],
    [
      'a period that ends as it begins',
      withPeriod('2026-01-01T00:00:00.000Z', order.period.from),
      'PARAMETER_INVALID',
    ],
    [
      'an instant that cannot be stored',
      withPeriod('1066-10-14T09:00:00Z', order.period.to),
      'PARAMETER_INVALID',
    ],
  ])('are refused for %s', async (_case, payload, code) => {
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await stack.request({ method: 'POST', url: PATH, headers, ...(payload && { payload }) });
    expect(answer.statusCode).toBe(400);
    expect(answer.json<Problem>().code).toBe(code);
    expect((await stack.get(PATH)).json<Page<PackageJob>>().data).toEqual([]);
  });

  it('are refused for a body that is not JSON by type, or too large', async () => {
    const xml = await stack.request({
      method: 'POST',
      url: PATH,
      headers: { 'content-type': 'application/xml' },
      payload: '<a/>',
    });
    expect([xml.statusCode, xml.json<Problem>().code]).toEqual([415, 'CONTENT_TYPE_UNSUPPORTED']);
    const large = await stack.request({
      method: 'POST',
      url: PATH,
      payload: { ...order, padding: 'x'.repeat(100_000) },
    });
    expect([large.statusCode, large.json<Problem>().code]).toEqual([413, 'BODY_TOO_LARGE']);
  });
});

function withPeriod(from: string, to: string) {
  return { ...order, period: { from, to } };
}
