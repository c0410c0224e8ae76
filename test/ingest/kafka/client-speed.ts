/**
 * Speed of the two client libraries behind the Kafka event log, on one broker: runs take turns, and of each figure the
 * median and the spread are printed. `node --import tsx test/ingest/kafka/client-speed.ts [runs]`
 */
import { randomInt } from 'node:crypto';
import { openKafkaEventLog, type KafkaEventLog } from '../../../ingest/kafka/event-log.ts';
import type { Envelope } from '../../../schemas/envelope.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';
import { startKafkaBroker } from '../../support/kafka-broker.ts';
import { KAFKAJS, newTopic, optionsFor, PLATFORMATIC, type ClientUnderTest } from './subject.ts';

const ENVELOPES = 20_000;
const BODY_BYTES = 2_048;
const SINGLE_CALLERS = 64;
const BATCH_CALLERS = 8;
const BATCH_ENVELOPES = 100;
const MAX_BYTES = 1 << 22;

interface Figure {
  readonly name: string;
  readonly perSecond: number;
  /** Processor time of this process, all threads. */
  readonly cpuMicrosEach: number;
}

const WORDS = Array.from({ length: 2_000 }, () => randomInt(2 ** 40).toString(36));

/** Text that compresses about as well as JSON does. */
function bodyOf(): Buffer {
  let text = '';
  while (text.length < BODY_BYTES) text += `"${WORDS[randomInt(WORDS.length)]!}":`;
  return Buffer.from(text.slice(0, BODY_BYTES));
}

async function measure(name: string, count: number, work: () => Promise<unknown>): Promise<Figure> {
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  await work();
  const tookMs = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { name, perSecond: (count / tookMs) * 1_000, cpuMicrosEach: (user + system) / count };
}

async function appendAll(
  log: KafkaEventLog,
  envelopes: readonly Envelope[],
  { callers, size }: { readonly callers: number; readonly size: number },
): Promise<void> {
  let at = 0;
  const call = async (): Promise<void> => {
    while (at < envelopes.length) {
      const from = at;
      at += size;
      await log.append(envelopes.slice(from, from + size));
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
}

async function run({ create }: ClientUnderTest, brokers: readonly string[]): Promise<Figure[]> {
  const envelopes = Array.from({ length: ENVELOPES }, (_, n) => envelopeOf(`e${n}`, bodyOf()));
  const log = await openKafkaEventLog(optionsFor(brokers, newTopic()), create);
  const single = await measure('append, 1 envelope, 64 callers', ENVELOPES, () =>
    appendAll(log, envelopes, { callers: SINGLE_CALLERS, size: 1 }),
  );
  const batch = await measure('append, 100 envelopes, 8 callers', ENVELOPES, () =>
    appendAll(log, envelopes, { callers: BATCH_CALLERS, size: BATCH_ENVELOPES }),
  );
  await log.append([envelopeOf('last')]);
  await consumeCount(log, 1, { maxEnvelopes: 1 });
  const consume = await measure('consume, joined', 2 * ENVELOPES, () =>
    consumeCount(log, 2 * ENVELOPES, { from: 1n, maxEnvelopes: 1_000, maxBytes: MAX_BYTES }),
  );
  await log.close();
  return [single, batch, consume];
}

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const show = (values: readonly number[]): string =>
  `${middle(values).toFixed(0)} (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`;

const broker = await startKafkaBroker();
if ('skipped' in broker) throw new Error(broker.skipped);
const runs = Number(process.argv[2] ?? 7);
const clients = [KAFKAJS, PLATFORMATIC];
const figures = new Map<string, Figure[]>();
for (let n = 0; n <= runs; n += 1) {
  for (const client of n % 2 === 0 ? clients : [...clients].reverse()) {
    const measured = await run(client, broker.brokers);
    // The first run of each warms up.
    for (const figure of n === 0 ? [] : measured) {
      const name = `${figure.name}: ${client.library}`;
      figures.set(name, [...(figures.get(name) ?? []), figure]);
    }
  }
}
for (const [name, all] of [...figures].sort(([a], [b]) => a.localeCompare(b))) {
  const perSecond = show(all.map((one) => one.perSecond));
  const cpu = show(all.map((one) => one.cpuMicrosEach));
  process.stdout.write(`${name}: ${perSecond} envelopes/s, ${cpu} µs of processor time each\n`);
}
await broker.dispose();
