import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog, LoggedEnvelope } from '../../ingest/event-log.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { envelopeOf } from './envelope.ts';

export interface EventLogUnderTest {
  /**
   * Whether what was acknowledged stays until its retention ends, so that a consumer which asks for it gets it again.
   * Then a consumer goes on from where it ended, as the sequencer always does.
   */
  readonly keepsAcknowledged?: boolean;
  /** Opens the same log again, as after a restart; earlier handles are closed. */
  open(limits?: {
    maxBacklogBytes?: number;
    maxBacklogEnvelopes?: number;
    lingerMs?: number;
  }): Promise<EventLog>;
  /** Closes every handle and removes what was stored. */
  dispose(): Promise<void>;
}

export interface Consumed {
  readonly envelopes: LoggedEnvelope[];
  readonly batchSizes: number[];
}

const BOUNDS = { maxEnvelopes: 1000, maxBytes: 1 << 24 };
const SLOWLY = { timeout: 30_000, interval: 50 };

/** Consumes until `count` envelopes were seen and acknowledged. */
export async function consumeCount(
  log: EventLog,
  count: number,
  options: { from?: bigint; maxEnvelopes?: number; maxBytes?: number } = {},
): Promise<Consumed> {
  const stop = new AbortController();
  const consumed: Consumed = { envelopes: [], batchSizes: [] };
  const bounds = { from: 0n, ...BOUNDS, ...options };
  await log.consume({ partition: 0, signal: stop.signal, ...bounds }, (batch) => {
    consumed.envelopes.push(...batch.envelopes);
    consumed.batchSizes.push(batch.envelopes.length);
    if (consumed.envelopes.length >= count) stop.abort();
    return Promise.resolve();
  });
  return consumed;
}

const idsOf = (consumed: Consumed): string[] => consumed.envelopes.map((one) => one.envelope.envelope_id);
const names = (count: number, prefix = 'e'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** What every adapter of the EventLog port must do. */
export function eventLogContract(
  adapter: string,
  prepare: (() => Promise<EventLogUnderTest>) | { readonly skipped: string },
): void {
  if ('skipped' in prepare) {
    it.skip(`EventLog contract: ${adapter}: ${prepare.skipped}`);
    return;
  }
  describe(`EventLog contract: ${adapter}`, () => {
    let subject: EventLogUnderTest;
    beforeEach(async () => {
      subject = await prepare();
    });
    afterEach(async () => {
      await subject.dispose();
    });

    it('delivers what was appended, in order, with every member and byte as it was', async () => {
      const log = await subject.open();
      const bodies = [Buffer.alloc(0), Buffer.from([0, 255, 10, 13]), Buffer.alloc(3_000_000, 7)];
      const sent = bodies.map((body, index) => ({
        ...envelopeOf(`b${index}`, body),
        idempotency_key: index === 0 ? 'käse "1"' : null,
      }));
      await log.append(sent);
      const { envelopes } = await consumeCount(log, 3);
      expect(envelopes.map((one) => withDigest(one.envelope))).toEqual(sent.map(withDigest));
    });

    it('keeps the order of concurrent appends of one caller and gives strictly rising offsets', async () => {
      const log = await subject.open();
      await Promise.all(names(300).map((name) => log.append([envelopeOf(name)])));
      const consumed = await consumeCount(log, 300, { maxEnvelopes: 7 });
      expect(idsOf(consumed)).toEqual(names(300));
      const offsets = consumed.envelopes.map((one) => one.offset);
      expect(offsets.every((offset, i) => i === 0 || offset > offsets[i - 1]!)).toBe(true);
      expect(Math.max(...consumed.batchSizes)).toBeLessThanOrEqual(7);
    });

    it('has one id for ever, which no other log has', async () => {
      const log = await subject.open();
      await log.append([envelopeOf('a')]);
      await log.close();
      expect((await subject.open()).id).toBe(log.id);
      const other = await prepare();
      try {
        expect((await other.open()).id).not.toBe(log.id);
      } finally {
        await other.dispose();
      }
    });

    it('settles where reading goes on, and removes nothing that is not sealed', async () => {
      const log = await subject.open();
      await log.append(names(3).map((name) => envelopeOf(name)));
      await log.settle(0, 0n);
      await log.settle(0, 0n);
      expect(idsOf(await consumeCount(log, 3))).toEqual(names(3));
    });

    it('accepts an empty append and appends nothing', async () => {
      const log = await subject.open();
      await log.append([]);
      expect(await log.lag()).toEqual({ envelopes: 0, bytes: 0 });
    });

    it('keeps a batch within maxBytes but delivers an envelope that alone is larger', async () => {
      const log = await subject.open();
      const large = Buffer.alloc(50_000, 1);
      await log.append([envelopeOf('s1'), envelopeOf('big', large), envelopeOf('s2'), envelopeOf('s3')]);
      const consumed = await consumeCount(log, 4, { maxBytes: 2000 });
      expect(idsOf(consumed)).toEqual(['s1', 'big', 's2', 's3']);
      expect(consumed.batchSizes).toEqual([1, 1, 2]);
    });

    it('rejects with the error of onBatch, acknowledges nothing, and delivers the batch again', async () => {
      const log = await subject.open();
      await log.append(names(5).map((name) => envelopeOf(name)));
      const failure = new Error('sequencer stopped');
      const attempt = log.consume(
        { partition: 0, from: 0n, maxEnvelopes: 3, maxBytes: 1 << 20, signal: new AbortController().signal },
        () => Promise.reject(failure),
      );
      await expect(attempt).rejects.toBe(failure);
      expect((await log.lag()).envelopes).toBe(5);
      expect(idsOf(await consumeCount(log, 5))).toEqual(names(5));
    });

    it('counts in lag what is appended and not acknowledged', async () => {
      const log = await subject.open();
      await log.append(names(4).map((name) => envelopeOf(name, Buffer.alloc(1000))));
      const before = await log.lag();
      expect(before.envelopes).toBe(4);
      expect(before.bytes).toBeGreaterThanOrEqual(4000);
      await consumeCount(log, 4);
      expect(await log.lag()).toEqual({ envelopes: 0, bytes: 0 });
    });

    it('shows in lag when the oldest envelope that is not acknowledged was received', async () => {
      const log = await subject.open();
      const receivedAt = ['2026-03-02T10:00:01.000Z', '2026-03-02T10:00:02.000Z', '2026-03-02T10:00:03.000Z'];
      await log.append(receivedAt.map((received_at, n) => ({ ...envelopeOf(`e${n}`), received_at })));
      expect((await log.lag()).oldestReceivedAt).toBe(receivedAt[0]);
      const { envelopes } = await consumeCount(log, 1, { maxEnvelopes: 1 });
      expect((await log.lag()).oldestReceivedAt).toBe(receivedAt[1]);
      await consumeCount(log, 2, { from: envelopes[0]!.offset + 1n });
      expect((await log.lag()).oldestReceivedAt).toBeUndefined();
    });

    it('delivers appends that arrive while a consumer waits', async () => {
      const log = await subject.open();
      const consumed = consumeCount(log, 2);
      await log.append([envelopeOf('late1')]);
      await log.append([envelopeOf('late2')]);
      expect(idsOf(await consumed)).toEqual(['late1', 'late2']);
    });

    it('resolves consume when the signal is aborted, also before the first batch', async () => {
      const log = await subject.open();
      const seen: unknown[] = [];
      const bounds = { partition: 0, from: 0n, maxEnvelopes: 3, maxBytes: 1000 };
      const onBatch = (batch: unknown): Promise<void> => {
        seen.push(batch);
        return Promise.resolve();
      };
      await log.consume({ ...bounds, signal: AbortSignal.abort() }, onBatch);
      const stop = new AbortController();
      const waiting = log.consume({ ...bounds, signal: stop.signal }, onBatch);
      stop.abort();
      await waiting;
      expect(seen).toEqual([]);
    });

    it('holds back a batch that is not full until its oldest envelope has waited for the linger', async () => {
      const lingerMs = 1500;
      const log = await subject.open({ lingerMs });
      // The first one shows that the consumer has begun.
      await log.append([envelopeOf('first')]);
      const appendedAtMs = new Map<string, number>();
      const waitedMs: number[] = [];
      const batches: string[][] = [];
      const stop = new AbortController();
      const consuming = log.consume({ ...BOUNDS, partition: 0, from: 0n, signal: stop.signal }, (batch) => {
        const ids = batch.envelopes.map(({ envelope }) => envelope.envelope_id);
        const nowMs = performance.now();
        for (const id of ids) waitedMs.push(nowMs - (appendedAtMs.get(id) ?? nowMs));
        batches.push(ids);
        return Promise.resolve();
      });
      await expect.poll(() => batches.length, SLOWLY).toBe(1);
      for (const name of names(20)) {
        await log.append([envelopeOf(name)]);
        appendedAtMs.set(name, performance.now());
        await delay(50);
      }
      await expect.poll(() => batches.flat().length, SLOWLY).toBe(21);
      stop.abort();
      await consuming;
      expect(batches.flat()).toEqual(['first', ...names(20)]);
      // 20 envelopes in a second or somewhat more, and at most one batch for each linger.
      expect(batches.length).toBeLessThanOrEqual(4);
      expect(Math.max(...waitedMs)).toBeLessThan(lingerMs + 1000);
    });

    it('holds back no batch that is full', async () => {
      const log = await subject.open({ lingerMs: 2000 });
      const body = randomBytes(1 << 20);
      await log.append(names(24).map((name) => envelopeOf(name, body)));
      const beganAtMs = performance.now();
      const { batchSizes } = await consumeCount(log, 24, { maxBytes: 2 << 20 });
      expect(batchSizes.length).toBeGreaterThanOrEqual(12);
      // Twelve waits would take 24 seconds.
      expect(performance.now() - beganAtMs).toBeLessThan(16_000);
    });

    it('ends the wait at once when the signal is aborted, and acknowledges nothing that it held back', async () => {
      const log = await subject.open({ lingerMs: 5000 });
      await log.append([envelopeOf('held')]);
      const stop = new AbortController();
      const delivered: unknown[] = [];
      const consuming = log.consume({ ...BOUNDS, partition: 0, from: 0n, signal: stop.signal }, (batch) => {
        delivered.push(batch);
        return Promise.resolve();
      });
      await delay(500);
      const abortedAtMs = performance.now();
      stop.abort();
      await consuming;
      expect(performance.now() - abortedAtMs).toBeLessThan(1000);
      expect(delivered).toEqual([]);
      expect((await log.lag()).envelopes).toBe(1);
      expect(idsOf(await consumeCount(log, 1))).toEqual(['held']);
    });

    it('keeps unacknowledged envelopes over a restart and never uses an offset twice', async () => {
      const first = await subject.open();
      await first.append([envelopeOf('a'), envelopeOf('b')]);
      const used = await consumeCount(first, 2);
      await first.close();
      const second = await subject.open();
      await second.append([envelopeOf('c')]);
      await second.close();
      const third = await subject.open();
      const from = subject.keepsAcknowledged === true ? used.envelopes[1]!.offset + 1n : 0n;
      const after = await consumeCount(third, 1, { from });
      expect(idsOf(after)).toEqual(['c']);
      expect(after.envelopes[0]!.offset).toBeGreaterThan(used.envelopes[1]!.offset);
    });

    it('skips what the ledger says is sealed, though it was never acknowledged', async () => {
      const log = await subject.open();
      await log.append(names(6).map((name) => envelopeOf(name)));
      const failing = consumeOnceThenFail(log);
      const seen = await failing;
      const next = seen[2]!.offset + 1n;
      expect(idsOf(await consumeCount(log, 3, { from: next }))).toEqual(['e3', 'e4', 'e5']);
      expect((await log.lag()).envelopes).toBe(0);
    });

    it('counts in lag nothing that the ledger says is sealed, though nothing comes after it', async () => {
      const log = await subject.open();
      await log.append(names(3).map((name) => envelopeOf(name)));
      const seen = await consumeOnceThenFail(log);
      const stop = new AbortController();
      const from = seen[2]!.offset + 1n;
      const consuming = log.consume({ ...BOUNDS, partition: 0, from, signal: stop.signal }, () =>
        Promise.resolve(),
      );
      await expect.poll(async () => (await log.lag()).envelopes, SLOWLY).toBe(0);
      stop.abort();
      await consuming;
      await log.close();
      expect((await (await subject.open()).lag()).envelopes).toBe(0);
    });

    it('refuses with LOG_PUSHBACK when the backlog is full and accepts again after an acknowledgement', async () => {
      const log = await subject.open({ maxBacklogEnvelopes: 3 });
      await log.append(names(3).map((name) => envelopeOf(name)));
      await expect(log.append([envelopeOf('over')])).rejects.toMatchObject({ code: 'LOG_PUSHBACK' });
      await consumeCount(log, 3);
      await log.append([envelopeOf('again')]);
      expect(idsOf(await consumeCount(log, 1, { from: 3n }))).toEqual(['again']);
    });

    it('refuses with LOG_PUSHBACK by bytes, one append without the others', async () => {
      const log = await subject.open({ maxBacklogBytes: 20_000 });
      const outcomes = await Promise.allSettled([
        log.append([envelopeOf('small', Buffer.alloc(1_000))]),
        log.append([envelopeOf('large', Buffer.alloc(19_000))]),
        log.append([envelopeOf('small2')]),
      ]);
      expect(outcomes.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(outcomes[1]).toMatchObject({ reason: { code: 'LOG_PUSHBACK' } });
      expect(idsOf(await consumeCount(log, 2))).toEqual(['small', 'small2']);
    });

    it('refuses with BODY_TOO_LARGE, and not for a while, an append that an empty log could not take', async () => {
      const log = await subject.open({ maxBacklogBytes: 20_000 });
      const large = log.append([envelopeOf('large', Buffer.alloc(30_000))]);
      await expect(large).rejects.toMatchObject({ code: 'BODY_TOO_LARGE', retry: 'never' });
      await log.append([envelopeOf('small')]);
      expect(idsOf(await consumeCount(log, 1))).toEqual(['small']);
    });

    it('waits for appends in flight on close, closes twice, and refuses appends afterwards', async () => {
      const log = await subject.open();
      const appends = names(50).map((name) => log.append([envelopeOf(name)]));
      await log.close();
      await log.close();
      await Promise.all(appends);
      await expect(log.append([envelopeOf('x')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      const again = await subject.open();
      expect(idsOf(await consumeCount(again, 50))).toEqual(names(50));
    });
  });
}

/** The body as its digest, which a failing comparison can print. */
function withDigest(envelope: Envelope): object {
  return { ...envelope, body: createHash('sha256').update(envelope.body).digest('hex') };
}

async function consumeOnceThenFail(log: EventLog): Promise<readonly LoggedEnvelope[]> {
  let seen: readonly LoggedEnvelope[] = [];
  const attempt = log.consume(
    { partition: 0, from: 0n, maxEnvelopes: 100, maxBytes: 1 << 20, signal: new AbortController().signal },
    (batch) => {
      seen = batch.envelopes;
      return Promise.reject(new Error('killed before acknowledging'));
    },
  );
  await expect(attempt).rejects.toThrow('killed');
  return seen;
}
