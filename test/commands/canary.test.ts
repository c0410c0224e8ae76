import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sendCanaries } from '../../commands/canary.ts';
import { loadConfig } from '../../config.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { buildReceivers } from '../../ingest/receivers/app.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { prepareBench, TOKEN, type Bench } from '../ingest/receivers/setup.ts';

let bench: Bench;
let app: ReturnType<typeof buildReceivers>;
let lines: string[];
/** Sources of which the log takes nothing. */
let refused: string[];
const output = { isTerminal: false, write: (text: string) => void lines.push(text) };
const config = { ...loadConfig(undefined, {}), collector_token: TOKEN };

beforeEach(async () => {
  [lines, refused] = [[], []];
  bench = prepareBench({
    append: (envelopes) => {
      const isRefused = envelopes.some(({ source }) => refused.includes(source));
      return isRefused ? Promise.reject(new PipelineError('LOG_UNAVAILABLE', 'no room')) : Promise.resolve();
    },
  });
  app = buildReceivers(bench.options);
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

function send(options: object = {}): Promise<boolean> {
  const to = `http://127.0.0.1:${String((app.server.address() as AddressInfo).port)}`;
  return sendCanaries(config, { to, json: false, ...options }, output);
}

function records() {
  const surrogates = createSurrogates(Buffer.alloc(32, 7));
  const normalise = createNormaliser({ surrogates });
  return bench.appended.flatMap((envelope) => normalise(envelope).records);
}
const words = () => records().filter(({ type }) => type === 'canary.sent');

describe('a round of canaries', () => {
  it('goes through every source, and is told of last', async () => {
    expect(await send()).toBe(true);
    expect(records().map(({ source }) => source)).toEqual([
      ...['hook', 'otel', 'gateway', 'transcript'],
      ...Array.from({ length: 4 }, () => 'native'),
    ]);
    expect(words().map(({ facts }) => [facts.reason, facts.success])).toEqual([
      ['hook', true],
      ['otel', true],
      ['gateway', true],
      ['transcript', true],
    ]);
    expect(new Set(records().map(({ facts }) => facts.session_id)).size).toBe(1);
    expect(lines.join('')).toBe(
      'hook: acknowledged\notel: acknowledged\ngateway: acknowledged\ntranscript: acknowledged\n',
    );
  });

  it('is of other records each time', async () => {
    await send({ through: 'hook' });
    await send({ through: 'hook' });
    expect(new Set(records().map(({ id }) => id)).size).toBe(4);
  });

  it('tells of one that was not taken, and fails', async () => {
    refused = ['otlp-logs'];
    expect(await send({ through: 'hook, otel' })).toBe(false);
    expect(words().map(({ facts }) => [facts.reason, facts.success])).toEqual([
      ['hook', true],
      ['otel', false],
    ]);
    expect(lines.join('')).toContain('otel: not acknowledged, but announced\n');
  });

  it('fails where nobody can be told', async () => {
    refused = ['native'];
    await expect(send({ through: 'hook' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('is refused for a source that there is none of, before anything is sent', async () => {
    await expect(send({ through: 'hook,forge' })).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    expect(bench.appended).toEqual([]);
  });
});
