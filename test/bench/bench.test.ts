import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTempDir } from '../support/server.ts';
import { runNode } from './children.ts';
import { buildBody, EVENT_BYTES, lastToolUseId } from './events.ts';
import { percentile, spread, toFigure, type Figure } from './figure.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

describe('the benchmark harness', () => {
  let temp: Awaited<ReturnType<typeof makeTempDir>>;
  beforeAll(async () => {
    temp = await makeTempDir();
  });
  afterAll(() => temp.remove());

  it('measures every figure beside a limit of the machine, on tiny sizes', async () => {
    const json = join(temp.path, 'figures.json');
    const page = join(temp.path, 'benchmarks.md');
    const sizes = ['--records', '300', '--runs', '1', '--json', json, '--page', page];
    await runNode(['--import', 'tsx', MAIN, ...sizes]);
    const figures = JSON.parse(await readFile(json, 'utf8')) as Figure[];
    expect(figures.map(({ name }) => name)).toEqual([
      'otlp_json_ack',
      'hook_post_64',
      'hook_post_64_p99',
      'sealed_rate',
      'sealed_rate_rss',
      'sealed_rate_own',
      'startup_ms',
      'hook_start_ms',
      'hook_start_ms_spooled',
      'verify_leaves',
      'verify_rss',
      'sealed_p95_half',
      'classify_prefilter',
      'classify_text',
      'classify_hostile',
      'classify_ack',
      'classify_normalise',
      'classify_server_ack',
      'classify_server_sealed',
    ]);
    for (const figure of figures) {
      expect(figure.median, figure.name).toBeGreaterThan(0);
      expect(figure.limit_median, figure.name).toBeGreaterThan(0);
      expect(figure.ratio, figure.name).toBeGreaterThan(0);
    }
    expect(await readFile(page, 'utf8')).toContain('| otlp_json_ack');
  }, 180_000);

  it.each(['otlp', 'hook'] as const)('sends %s events of 1 KB, each a new one', (kind) => {
    const events = kind === 'otlp' ? 100 : 1;
    const body = buildBody(kind, events);
    body.stamp(0);
    const first = body.bytes.toString();
    body.stamp(1);
    const second = body.bytes.toString();
    expect(Math.abs(body.bytes.length / events - EVENT_BYTES)).toBeLessThan(16);
    expect(second).not.toBe(first);
    expect(first).toContain(lastToolUseId(0, events));
    expect(second).toContain(lastToolUseId(1, events));
    expect(() => JSON.parse(second) as unknown).not.toThrow();
    expect(new Set(second.match(/toolu_[0-9]{10}/g)).size).toBe(events);
  });
});

describe('a figure', () => {
  const limit = { name: 'limit', unit: 'x', values: [400] };

  it('is judged by its median', () => {
    const slow = toFigure({ name: 'rate', unit: 'x', values: [90, 110, 100], limit, atLeast: 101 });
    expect(slow).toMatchObject({ min: 90, median: 100, max: 110, ratio: 0.25, meets_target: false });
    const late = toFigure({ name: 'delay', unit: 'x', values: [1, 3], limit, atMost: 2 });
    expect(late).toMatchObject({ median: 2, target: 2, meets_target: true });
  });

  it('has no verdict without a target', () => {
    expect(toFigure({ name: 'free', unit: 'x', values: [1], limit })).not.toHaveProperty('meets_target');
  });

  it('takes percentiles and spreads of any order', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  });
});
