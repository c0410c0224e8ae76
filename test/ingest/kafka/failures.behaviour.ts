import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openKafkaEventLog, type KafkaEventLog } from '../../../ingest/kafka/event-log.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';
import { SASL_USER, startKafkaBroker, type KafkaBroker } from '../../support/kafka-broker.ts';
import { newTopic, opener, optionsFor, type ClientUnderTest } from './subject.ts';

// Starting a broker takes seconds, on a busy machine many.
const bounds = { timeout: 180_000 };

/** The event log while its broker, which is this test's own, is ended and started. */
export async function failureBehaviour(subject: ClientUnderTest): Promise<void> {
  const started = await startKafkaBroker();
  const reason = 'skipped' in started ? started.skipped : started.isOwn ? undefined : 'the broker was given';
  const title = `the event log on Kafka with ${subject.library} when brokers fail ${reason ?? ''}`;
  describe.skipIf(reason !== undefined)(title, bounds, () => {
    const broker = started as KafkaBroker;
    const { open, closeAll } = opener(subject);
    afterEach(closeAll);
    afterAll(() => broker.dispose());

    it.each([
      ['ended in good order', () => broker.restart()],
      ['killed', () => broker.kill().then(() => broker.start())],
    ])(
      'loses nothing acknowledged, and keeps the order, when the broker is %s among appends',
      async (_, restart) => {
        const log = await open(optionsFor(broker.brokers, newTopic(), { keyOf: () => 'one session' }));
        const run = appendUntilStopped(log);
        await run.until(200);
        await restart();
        await run.until(run.acknowledged.length + 200);
        const acknowledged = await run.stop();
        const { envelopes } = await consumeCount(log, acknowledged.length);
        const firsts = [...new Set(envelopes.map((one) => one.envelope.envelope_id))];
        expect(firsts.filter((id) => acknowledged.includes(id))).toEqual(acknowledged);
      },
    );

    it('refuses appends while no broker answers, and then appends and consumes again by itself', async () => {
      const log = await open(optionsFor(broker.brokers, newTopic(), { appendDeadlineMs: 1_500 }));
      await log.append([envelopeOf('before')]);
      const seen: string[] = [];
      const stop = new AbortController();
      const consuming = consumeAsSequencersDo(log, seen, stop.signal);
      await expect.poll(() => seen, slowly).toEqual(['before']);
      await broker.stop();
      for (const name of ['away1', 'away2']) {
        await expect(log.append([envelopeOf(name)])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      }
      await expect(log.lag()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      await broker.start();
      await expect
        .poll(() => log.append([envelopeOf('after')]).then(() => 'kept', codeOf), slowly)
        .toBe('kept');
      await expect.poll(() => seen.at(-1), slowly).toBe('after');
      expect(seen.filter((id) => !id.startsWith('away'))).toEqual(['before', 'after']);
      stop.abort();
      await consuming;
    });

    it('shows its credentials, and refuses to start when they are refused', async () => {
      const sasl = { mechanism: 'plain' as const, ...SASL_USER };
      const topic = newTopic();
      const log = await open(optionsFor(broker.saslBrokers!, topic, { sasl }));
      await log.append([envelopeOf('a')]);
      expect((await consumeCount(log, 1)).envelopes[0]?.envelope.envelope_id).toBe('a');
      const wrong = { ...sasl, password: 'another' };
      await expect(open(optionsFor(broker.saslBrokers!, topic, { sasl: wrong }))).rejects.toMatchObject({
        code: 'START_REFUSED',
        detail: expect.stringContaining(subject.refusedCredentials) as string,
      });
    });

    it('does not open without a broker, and says so within the deadline', async () => {
      const options = optionsFor(['127.0.0.1:1'], newTopic(), { startDeadlineMs: 1_000 });
      const beganMs = performance.now();
      await expect(openKafkaEventLog(options, subject.create)).rejects.toMatchObject({
        code: 'LOG_UNAVAILABLE',
        detail: 'brokers: no answer in 1000 ms',
      });
      expect(performance.now() - beganMs).toBeLessThan(10_000);
    });
  });
}

const slowly = { timeout: 60_000, interval: 200 };
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

/** Goes on from its own next offset after a failure that passes. */
async function consumeAsSequencersDo(log: KafkaEventLog, seen: string[], signal: AbortSignal): Promise<void> {
  let from = 0n;
  while (!signal.aborted) {
    const options = { partition: 0, from, maxEnvelopes: 100, maxBytes: 1 << 20, signal };
    await log
      .consume(options, (batch) => {
        seen.push(...batch.envelopes.map((one) => one.envelope.envelope_id));
        from = batch.nextOffset;
        return Promise.resolve();
      })
      .catch((error: unknown) => {
        if (codeOf(error) !== 'LOG_UNAVAILABLE') throw error;
      });
  }
}

interface AppendRun {
  /** Names in the order in which they were sent. */
  readonly acknowledged: string[];
  until(count: number): Promise<void>;
  stop(): Promise<string[]>;
}

/** Appends one after the other, so that the order of what was acknowledged is known. */
function appendUntilStopped(log: KafkaEventLog): AppendRun {
  const acknowledged: string[] = [];
  const stopping = new AbortController();
  const running = (async () => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      try {
        await log.append([envelopeOf(`e${i}`)]);
        acknowledged.push(`e${i}`);
      } catch (error) {
        if (codeOf(error) !== 'LOG_UNAVAILABLE') throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  })();
  return {
    acknowledged,
    until: async (count) => {
      await expect.poll(() => acknowledged.length, slowly).toBeGreaterThanOrEqual(count);
    },
    stop: async () => {
      stopping.abort();
      await running;
      return acknowledged;
    },
  };
}
