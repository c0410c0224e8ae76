import { describe, expect, it } from 'vitest';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { SOURCES } from '../../../connectors/sources/index.ts';
import { prepareBench } from './setup.ts';

interface Answered {
  readonly code: string;
  readonly detail: string;
  readonly hint: string;
}

async function ask(method: 'GET' | 'POST', url: string) {
  const bench = prepareBench({ sources: SOURCES.filter(({ name }) => name !== 'kong') });
  const answer = await buildReceivers(bench.options).inject({ method, url });
  return { status: answer.statusCode, problem: answer.json<Answered>(), bench };
}

describe('a path that no source has', () => {
  it('is told the gateways that there are, and how to describe another', async () => {
    const { status, problem, bench } = await ask('POST', '/v1/gateways/acme?x=1');
    expect([status, problem.code]).toEqual([404, 'NOT_FOUND']);
    expect(problem.detail).toBe(
      'no gateway is called acme; known: litellm, bifrost, cloudflare, portkey; describe others with ingest.gateway_mappings (docs/sources.md)',
    );
    expect(bench.options.counters).toMatchObject({ requests: 1, refused: { NOT_FOUND: 1 } });
    expect(bench.logged()).not.toContain('acme');
  });

  it.each(['/v1/gateways/%E0%A4', `/v1/gateways/${'x'.repeat(300)}`, '/v1/gateways/a%20b', '/v1/gateways/'])(
    'does not get a name repeated that is not one: %s',
    async (url) => {
      const { status, problem } = await ask('POST', url);
      expect(status).toBe(404);
      expect(problem.detail.length).toBeLessThan(250);
      expect(problem.detail).not.toMatch(/called (x|a)/);
    },
  );

  it('is told where the routes are written down, in a document that is there', async () => {
    const { status, problem, bench } = await ask('GET', '/v1/nothing');
    expect([status, problem.code, problem.detail]).toEqual([404, 'NOT_FOUND', 'no such route']);
    expect(problem.hint).toBe('docs/sources.md lists the routes of the receivers');
    expect(bench.options.counters.refused).toEqual({ NOT_FOUND: 1 });
  });

  it('is counted also where the path does not decode', async () => {
    const { bench } = await ask('GET', '/%E0%A4%A');
    expect(bench.options.counters.refused).toEqual({ NOT_FOUND: 1 });
  });

  it('counts a method that the route does not take, and says which one it takes', async () => {
    const { status, problem, bench } = await ask('GET', '/v1/events');
    expect([status, problem.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(problem.hint).toBe('the Allow header names the methods that the route takes');
    expect(bench.options.counters).toMatchObject({ requests: 1, refused: { METHOD_NOT_ALLOWED: 1 } });
  });
});
