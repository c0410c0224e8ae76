import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { BEARER, prepareBench, readRecordings } from './setup.ts';

const ROUTES = ['/v1/hooks/claude-code', '/v1/logs', '/v1/metrics', '/v1/traces', '/v1/events'];
const CONTENT_TYPES = ['application/json', 'application/x-protobuf', 'application/x-ndjson'];

/** Pieces that JSON and protobuf decoders stumble over. */
const SPLICES = [
  '{',
  ']',
  '"',
  '\\ud800',
  '1e999',
  '-',
  ',',
  '\u0000',
  '{"a":1,"a":2}',
  'null',
  '\xff',
  '[[[[',
  '\n',
];

const recorded = readRecordings().map((one) => one.body);
const mutated = fc
  .record({
    body: fc.constantFrom(...recorded),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(40),
    splice: fc.constantFrom(...SPLICES),
  })
  .map(({ body, at, cut, splice }) => {
    const start = Math.floor(at * body.length);
    return Buffer.concat([
      body.subarray(0, start),
      Buffer.from(splice, 'latin1'),
      body.subarray(start + cut),
    ]);
  });
const bodies = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
);

describe('receivers: any body at all', () => {
  it('is either kept byte for byte and acknowledged, or refused with a 4xx and not kept', async () => {
    const route = fc.constantFrom(...ROUTES);
    const contentType = fc.constantFrom(...CONTENT_TYPES);
    await fc.assert(
      fc.asyncProperty(bodies, route, contentType, fc.boolean(), async (body, url, type, isGzip) => {
        const bench = prepareBench();
        const app = buildReceivers(bench.options);
        const answer = await app.inject({
          method: 'POST',
          url,
          headers: { ...BEARER, 'content-type': type, ...(isGzip ? { 'content-encoding': 'gzip' } : {}) },
          payload: isGzip ? gzipSync(body) : body,
        });
        if (answer.statusCode === 200) {
          expect(bench.appended.length).toBe(bench.options.counters.items > 0 ? 1 : 0);
          expect(bench.appended.every((one) => Buffer.compare(one.body, body) === 0)).toBe(true);
        } else {
          expect([400, 415]).toContain(answer.statusCode);
          expect(bench.appended).toEqual([]);
        }
        expect(bench.options.counters.inFlightBytes).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
