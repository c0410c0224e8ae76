import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { startGrpc } from '../../../ingest/receivers/grpc/server.ts';
import { createIntake } from '../../../ingest/receivers/intake.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { canonicalJson } from '../../../schemas/canonical.ts';
import { grpcCalls, openGrpcClient, type GrpcCall } from './fuzz-grpc.ts';
import { mutatedMessages, mutatedRequests, type MutatedRequest } from './mutations.ts';
import { WEBHOOK_SECRETS } from './webhook-bases.ts';
import { BEARER, prepareBench } from './setup.ts';

/** More of them by the variable: `npm run fuzz` runs 50,000. */
const CASES = Number(process.env['AFFIDAVIT_FUZZ_CASES'] ?? 500);
const SEED = process.env['AFFIDAVIT_FUZZ_SEED'];
const MS_PER_CASE = 60;

/** What became of the items of all cases. */
const tally = { sent: 0, items: 0, accepted: 0, duplicate: 0, quarantined: 0 };
const answers = new Map<string, number>();

const bench = prepareBench({
  limits: { maxBodyBytes: 8_000_000, maxInflatedBytes: 8_000_000 },
  webhookSecrets: WEBHOOK_SECRETS,
});
const app = buildReceivers(bench.options);
const normalise = createNormaliser({
  surrogates: createSurrogates(Buffer.alloc(32, 7)),
});
const seen = new Set<string>();

async function send({ url, contentType, body, isGzip, proof }: MutatedRequest) {
  const { counters } = bench.options;
  const before = { ...counters, appended: bench.appended.length };
  const encoding = isGzip ? { 'content-encoding': 'gzip' } : {};
  const headers = { ...(proof ?? BEARER), 'content-type': contentType, ...encoding };
  const answer = await app.inject({ method: 'POST', url, headers, payload: body });
  const kept = bench.appended.splice(before.appended);
  expect(counters.inFlightBytes).toBe(0);
  return {
    status: answer.statusCode,
    code:
      answer.statusCode === 200
        ? 'ok'
        : answer.headers['content-type'] === 'application/problem+json'
          ? answer.json<{ code: string }>().code
          : 'none',
    kept,
    items: counters.items - before.items,
    quarantined: counters.quarantinedItems - before.quarantinedItems,
  };
}

type Sent = Pick<Awaited<ReturnType<typeof send>>, 'kept' | 'items' | 'quarantined'>;

/** Takes what was kept through the normaliser and the memory of sealed ids, as the sequencer does. */
function seal({ kept, items, quarantined }: Sent) {
  const sealed = { fresh: 0, duplicate: 0, quarantined: 0 };
  const normalised = kept.map(normalise);
  const records = normalised.flatMap((one) => one.records);
  expect(records.length).toBe(items);
  expect(kept.reduce((sum, { item_count }) => sum + item_count, 0)).toBe(items);
  expect(normalised.reduce((sum, one) => sum + one.quarantinedCount, 0)).toBe(quarantined);
  for (const { id, type, facts, content } of records) {
    canonicalJson(facts);
    canonicalJson(content);
    if (seen.has(id)) sealed.duplicate += 1;
    else if (type === 'quarantined') sealed.quarantined += 1;
    else sealed.fresh += 1;
    seen.add(id);
  }
  return sealed;
}

describe('receivers under mutated real requests', () => {
  it(
    `account for every item of ${String(CASES)} of them: sealed, a duplicate, in quarantine, or refused`,
    async () => {
      const property = fc.asyncProperty(mutatedRequests, async (request) => {
        const first = await send(request);
        const answered = `${String(first.status)} ${first.code}`;
        answers.set(answered, (answers.get(answered) ?? 0) + 1);
        tally.sent += 1;
        expect(first.status).toBeLessThan(500);
        if (first.status !== 200) {
          expect([400, 413, 415]).toContain(first.status);
          expect(first.kept).toEqual([]);
          return;
        }
        const sealed = seal(first);
        expect(sealed.fresh + sealed.duplicate + sealed.quarantined).toBe(first.items);
        tally.items += first.items;
        tally.accepted += sealed.fresh;
        tally.duplicate += sealed.duplicate;
        tally.quarantined += sealed.quarantined;
        const again = await send(request);
        expect(seal(again)).toEqual({ fresh: 0, quarantined: 0, duplicate: first.items });
      });
      const seed = SEED === undefined ? {} : { seed: Number(SEED) };
      await fc.assert(property, { numRuns: CASES, endOnFailure: true, ...seed });
      expect(tally.accepted).toBeGreaterThan(CASES / 10);
      expect(tally.quarantined).toBeGreaterThan(0);
      expect(tally.items).toBe(tally.accepted + tally.duplicate + tally.quarantined);
      if (CASES > 500)
        process.stdout.write(`${JSON.stringify({ ...tally, ...Object.fromEntries(answers) })}\n`);
    },
    60_000 + CASES * MS_PER_CASE,
  );
});

/** gRPC's codes for what was taken, for a broken message or frame, for one too large, and for what nobody offers. */
const GRPC_CODES = ['0', '3', '8', '12'];
/** A call costs more than a request that is injected. */
const GRPC_CASES = Math.ceil(CASES / 3);

describe('OTLP over gRPC under mutated real messages and broken frames', () => {
  it(
    `accounts for every item of ${String(GRPC_CASES)} of them: sealed, a duplicate, in quarantine, or refused`,
    async () => {
      const grpc = prepareBench({ limits: bench.options.limits });
      const { counters } = grpc.options;
      const server = await startGrpc(createIntake(grpc.options), { host: '127.0.0.1', port: 0 });
      const client = openGrpcClient(server.port);
      const codes = new Map<string, number>();
      const counted = { sent: 0, items: 0, accepted: 0, duplicate: 0, quarantined: 0 };
      const sendCall = async (call: GrpcCall) => {
        const before = { ...counters };
        const code = await client.send(call);
        const kept = grpc.appended.splice(0);
        expect(counters.inFlightBytes).toBe(0);
        const items = counters.items - before.items;
        return { code, kept, items, quarantined: counters.quarantinedItems - before.quarantinedItems };
      };
      const property = fc.asyncProperty(grpcCalls(mutatedMessages), async (call) => {
        const first = await sendCall(call);
        codes.set(first.code, (codes.get(first.code) ?? 0) + 1);
        counted.sent += 1;
        expect(GRPC_CODES).toContain(first.code);
        if (first.code !== '0') {
          expect(first.kept).toEqual([]);
          return;
        }
        const sealed = seal(first);
        expect(sealed.fresh + sealed.duplicate + sealed.quarantined).toBe(first.items);
        counted.items += first.items;
        counted.accepted += sealed.fresh;
        counted.duplicate += sealed.duplicate;
        counted.quarantined += sealed.quarantined;
        expect(seal(await sendCall(call))).toEqual({ fresh: 0, quarantined: 0, duplicate: first.items });
      });
      const seed = SEED === undefined ? {} : { seed: Number(SEED) };
      try {
        await fc.assert(property, { numRuns: GRPC_CASES, endOnFailure: true, ...seed });
      } finally {
        client.close();
        await server.close(1_000);
      }
      expect(counted.items).toBe(counted.accepted + counted.duplicate + counted.quarantined);
      expect([...codes.keys()]).toContain('0');
      if (CASES > 500) {
        process.stdout.write(`grpc ${JSON.stringify({ ...counted, ...Object.fromEntries(codes) })}\n`);
      }
    },
    60_000 + GRPC_CASES * MS_PER_CASE,
  );
});
