import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../schemas/problem.ts';
import { ADMIN_TOKEN, COLLECTOR_TOKEN, openApiStack, type ApiStack } from '../support/api-stack.ts';
import { openApiJudge } from '../support/openapi-judge.ts';
import { unreachableStore } from '../support/unreachable-store.ts';

let stack: ApiStack;

beforeAll(async () => {
  stack = await openApiStack(unreachableStore(), {
    metrics: () => Promise.resolve('affidavit_store_tree_size 0\n'),
  });
});
afterAll(() => stack.close());

const PUBLIC = ['/livez', '/readyz', '/openapi.json'];
const GUARDED = [
  '/v1/records',
  `/v1/records/${'0'.repeat(64)}`,
  `/v1/records/${'0'.repeat(64)}/proof`,
  '/v1/sessions',
  '/v1/sessions/s-1/timeline',
  '/v1/tool-calls?session_id=s-1',
  '/v1/completeness',
  '/v1/log/checkpoint',
  '/v1/logs/p0/checkpoint',
  '/v1/logs/p0/tile/0/000',
  '/v1/quarantine',
  '/v1/evidence-packages',
  '/v1/evidence-packages/x',
  '/v1/evidence-packages/x/download',
  '/metrics',
];

describe('authentication', () => {
  it.each(PUBLIC)('lets anybody read %s', async (url) => {
    expect((await stack.app.inject(url)).statusCode).toBe(200);
  });

  it.each(GUARDED)('challenges a request for %s without a token', async (url) => {
    const answer = await stack.app.inject(url);
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="affidavit"');
    expect(answer.json<Problem>().code).toBe('AUTH_MISSING');
  });

  it.each(GUARDED)('forbids %s to a collector', async (url) => {
    const headers = { authorization: `Bearer ${COLLECTOR_TOKEN}` };
    const answer = await stack.app.inject({ url, headers });
    expect(answer.statusCode).toBe(403);
    expect(answer.headers['www-authenticate']).toContain('insufficient_scope');
    expect(answer.json<Problem>().code).toBe('AUTH_FORBIDDEN');
  });

  it.each(['Bearer wrong', `Basic ${ADMIN_TOKEN}`, ADMIN_TOKEN, 'Bearer ', `Bearer ${ADMIN_TOKEN} x`, ''])(
    'does not know the credential %j',
    async (authorization) => {
      const answer = await stack.app.inject({ url: '/v1/log/checkpoint', headers: { authorization } });
      expect(answer.statusCode).toBe(401);
      expect(answer.json<Problem>().code).toBe('AUTH_INVALID');
    },
  );

  it('takes the scheme in any case, as HTTP wants it', async () => {
    const answer = await stack.get('/metrics', { authorization: `bearer ${ADMIN_TOKEN}` });
    expect(answer.statusCode).toBe(200);
  });
});

describe('problems', () => {
  it('names the request, the code and a hint, and nothing is cached or sniffed', async () => {
    const answer = await stack.get('/v1/nothing');
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'",
      'x-content-type-options': 'nosniff',
    });
    expect(answer.json()).toEqual({
      type: 'urn:affidavit:problem:not-found',
      title: 'not found',
      status: 404,
      detail: 'no route has this path',
      instance: expect.stringMatching(/^id-/) as string,
      code: 'NOT_FOUND',
      hint: expect.any(String) as string,
    });
  });

  it.each([
    ['DELETE', '/v1/records', 'GET, HEAD'],
    ['POST', '/v1/log/checkpoint', 'GET, HEAD'],
    ['PUT', '/v1/evidence-packages', 'GET, HEAD, POST'],
    ['PATCH', '/v1/evidence-packages/x/download?a=b', 'GET, HEAD'],
    ['POST', '/livez', 'GET, HEAD'],
  ] as const)('answers %s %s with the methods that path takes', async (method, url, allow) => {
    const answer = await stack.request({ method, url });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers.allow).toBe(allow);
    expect(answer.json<Problem>().code).toBe('METHOD_NOT_ALLOWED');
  });

  it.each([
    ['an unknown query member', '/v1/evidence-packages?colour=red', '/querystring/colour'],
    ['a page size of none', '/v1/evidence-packages?limit=0', '/querystring/limit'],
    ['a page size beyond the largest', '/v1/evidence-packages?limit=1001', '/querystring/limit'],
    ['a page size that is no number', '/v1/evidence-packages?limit=ten', '/querystring/limit'],
    ['an empty page size', '/v1/evidence-packages?limit=', '/querystring/limit'],
    ['a page size given twice', '/v1/evidence-packages?limit=1&limit=2', '/querystring/limit'],
  ])('refuses %s and points at it', async (_case, url, pointer) => {
    const answer = await stack.get(url);
    expect(answer.statusCode).toBe(400);
    const problem = answer.json<Problem>();
    expect(problem.code).toBe('PARAMETER_INVALID');
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });

  it('refuses all wrong members at once', async () => {
    const problem = (await stack.get('/v1/evidence-packages?a=1&limit=0')).json<Problem>();
    expect(problem.errors?.map((error) => error.pointer).sort()).toEqual([
      '/querystring/a',
      '/querystring/limit',
    ]);
  });

  it('tells a path that does not decode from one that is not there', async () => {
    const answer = await stack.get('/v1/records/%E0%A4%A');
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json<Problem>().code).toBe('PARAMETER_INVALID');
  });

  it('asks to come back later while the record store does not answer', async () => {
    const answer = await stack.get('/v1/quarantine');
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^[0-9]+$/);
    expect(answer.json<Problem>().code).toBe('STORE_UNAVAILABLE');
  });

  it('tells nothing of an unexpected failure, to the client or to the log', async () => {
    const broken = await openApiStack(unreachableStore(), {
      metrics: () => Promise.reject(new TypeError('canary-of-content')),
    });
    const answer = await broken.get('/metrics');
    expect(answer.statusCode).toBe(500);
    expect(answer.json<Problem>().code).toBe('INTERNAL');
    expect(answer.body).not.toContain('canary');
    expect(broken.logLines.join('')).toContain('request failed');
    expect(broken.logLines.join('')).not.toContain('canary');
    await broken.close();
  });

  it('keeps URLs, search words and tokens out of the log', async () => {
    await stack.get('/v1/records?q=canary-word&session_id=canary-session');
    await stack.get('/canary-path?canary=1');
    await stack.get('/v1/records/%canary');
    const log = stack.logLines.join('');
    expect(log).toContain('"route":"/v1/records"');
    expect(log).toContain('"principal":"auditor-desk"');
    expect(log).not.toContain('canary');
    expect(log).not.toContain(ADMIN_TOKEN);
  });

  it('answers what is not HTTP with a problem too', async () => {
    const own = await openApiStack(unreachableStore());
    await own.app.listen({ host: '127.0.0.1', port: 0 });
    const socket = connect((own.app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('this is not http\r\n\r\n');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    await once(socket, 'close');
    const text = Buffer.concat(chunks).toString();
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('application/problem+json');
    await own.close();
  });
});

describe('operation', () => {
  it('is alive', async () => {
    expect((await stack.app.inject('/livez')).json()).toEqual({ status: 'alive' });
  });

  it('says with 503 what it waits for, and the lag in either case', async () => {
    const state = {
      ready: false,
      reasons: ['STORE_UNAVAILABLE'],
      lag: { envelopes: 3, bytes: 999 },
      partitions: [
        { log: 'p0', state: 'parked' as const, reason: 'ARCHIVE_CONFLICT', detail: 'bundle 7 exists' },
        { log: 'p1', state: 'filling' as const, detail: 'rows of 3 of 9 leaves' },
        { log: 'p2', state: 'idle' as const },
      ],
      tree_size: 7,
      published_tree_size: 5,
    };
    const waiting = await openApiStack(unreachableStore(), { readiness: () => Promise.resolve(state) });
    const answer = await waiting.app.inject('/readyz');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toEqual(state);
    (await openApiJudge(waiting.app)).expectAnswer('get', '/readyz', answer);
    await waiting.close();
  });

  it('gives figures as Prometheus text', async () => {
    const answer = await stack.get('/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.body).toBe('affidavit_store_tree_size 0\n');
  });

  it('has no figures where none are measured', async () => {
    const bare = await openApiStack(unreachableStore());
    expect((await bare.get('/metrics')).statusCode).toBe(404);
    await bare.close();
  });
});

describe('OpenAPI document', () => {
  it('lists exactly the routes there are', async () => {
    const { document } = await openApiJudge(stack.app);
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations.sort()).toEqual([
      'get /livez',
      'get /metrics',
      'get /openapi.json',
      'get /readyz',
      'get /v1/changes',
      'get /v1/completeness',
      'get /v1/evidence-packages',
      'get /v1/evidence-packages/{id}',
      'get /v1/evidence-packages/{id}/download',
      'get /v1/log/checkpoint',
      'get /v1/logs/{log}/checkpoint',
      'get /v1/logs/{log}/tile/{path}',
      'get /v1/quarantine',
      'get /v1/records',
      'get /v1/records/{id}',
      'get /v1/records/{id}/proof',
      'get /v1/sessions',
      'get /v1/sessions/{id}/timeline',
      'get /v1/tool-calls',
      'post /v1/evidence-packages',
    ]);
  });

  it('describes each with schemas that compile, its path parameters and its failures', async () => {
    const { document, compile } = await openApiJudge(stack.app);
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const operation of Object.values(methods)) {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
        const declared = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? [];
        expect(declared.map((parameter) => parameter.name)).toEqual(named);
        for (const { schema } of operation.parameters ?? []) compile(schema);
        const answers = Object.values(operation.responses);
        for (const { schema } of answers.flatMap((answer) => Object.values(answer.content ?? {})))
          compile(schema);
        const isOpen = PUBLIC.includes(path);
        expect(operation.security).toEqual(isOpen ? [] : undefined);
        if (!isOpen) expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['401', '403']));
      }
    }
  });
});

describe('the API of a process without evidence', () => {
  it('has the routes of operation alone', async () => {
    const operating = await openApiStack(unreachableStore(), { evidence: undefined });
    expect((await operating.get('/livez')).statusCode).toBe(200);
    expect((await operating.get('/readyz')).statusCode).toBe(200);
    for (const url of ['/v1/records', '/v1/log/checkpoint', '/v1/evidence-packages']) {
      expect((await operating.get(url)).statusCode).toBe(404);
    }
    await operating.close();
  });
});
