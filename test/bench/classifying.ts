/** Cost of searching for secrets and for data about people, as CPU time of the built modules. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Personal from '../../connectors/detect/personal.ts';
import type * as Secrets from '../../connectors/detect/secrets.ts';
import type * as NormaliseModule from '../../ingest/normalise.ts';
import type * as Otlp from '../../connectors/sources/otlp/otlp.ts';
import type * as Redact from '../../ingest/receivers/redact.ts';
import type * as Surrogates from '../../ingest/surrogates.ts';
import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import { HOSTILE } from '../connectors/detect/hostile.ts';
import { BATCH_EVENTS, type Bench, type Findings } from './bench.ts';
import { buildBody } from './events.ts';
import { rounded, spread, toFigure, type Figure } from './figure.ts';
import { repeat } from './limits.ts';

const DIST = resolve(import.meta.dirname, '../../dist');
const SPIN_CPU_MS = 300;
const HOSTILE_BYTES = 1024 * 1024;
const HOSTILE_RUNS = 5;
/** Smallest share of the rate that must remain for a receiver and the sealing thread with the classifier. */
const LEAST_SHARE = 0.8;
/** The stated limit for a megabyte of any text. */
const MOST_HOSTILE_MS = 100;

const HEADER: EnvelopeHeader = {
  v: 1,
  envelope_id: 'bench',
  source: 'otlp-logs',
  receiver: '/v1/logs',
  principal: 'bench',
  received_at: '2026-11-21T09:00:00.000Z',
  content_type: 'application/json',
  item_count: BATCH_EVENTS,
  idempotency_key: null,
};

/** As they are shipped: what runs the sources makes every import a call. */
async function loadModules() {
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(DIST, path)).href);
  const secrets = (await load('connectors/detect/secrets.js')) as typeof Secrets;
  const personal = (await load('connectors/detect/personal.js')) as typeof Personal;
  const redact = (await load('ingest/receivers/redact.js')) as typeof Redact;
  const otlp = (await load('connectors/sources/otlp/otlp.js')) as typeof Otlp;
  const normalise = (await load('ingest/normalise.js')) as typeof NormaliseModule;
  const surrogates = (await load('ingest/surrogates.js')) as typeof Surrogates;
  return { ...secrets, ...personal, ...redact, ...otlp, ...normalise, ...surrogates };
}
type Modules = Awaited<ReturnType<typeof loadModules>>;

export async function measureClassify(bench: Bench): Promise<Findings> {
  const modules = await loadModules();
  const body = buildBody('otlp', BATCH_EVENTS);
  body.stamp(0);
  const { bytes } = body;
  bench.say('classify: throughput');
  const throughput = await measureThroughput(bench, modules, bytes);
  bench.say('classify: hostile texts');
  const hostile = await measureHostile(bench, modules);
  bench.say('classify: with and without');
  const { ack, normalise } = await measureShares(bench, modules, bytes);
  return {
    figures: [...throughput, hostile.figure, ack, normalise],
    remarks: [
      `classify: one body of ${BATCH_EVENTS} log records of 1 KB without a secret; CPU time, both sides of a comparison by turns in one run`,
      `classify_hostile: ${Object.keys(HOSTILE).length} kinds of text of 1 MB, each searched for secrets, for data about people and as raw bytes, least of ${HOSTILE_RUNS}; the slowest was ${hostile.slowest}`,
      `classify_ack: decoding and counting a body, which is what a receiver computes; HTTP and the flush are not in it. classify_normalise: from envelope to records; hashing and storing are not in it`,
    ],
  };
}

async function measureThroughput(
  bench: Bench,
  { mayHoldSecret, findSecrets, findPersonal }: Modules,
  bytes: Buffer,
) {
  const text = bytes.toString();
  const megabytes = bytes.length / 1e6;
  const rates = async (work: () => unknown) =>
    (await repeat(bench.runs, () => perCpuSecond(work))).map((count) => count * megabytes);
  const unit = 'MB/s';
  const hash = await rates(() => createHash('sha256').update(bytes).digest());
  const parse = await rates(() => JSON.parse(text) as unknown);
  return [
    toFigure({
      name: 'classify_prefilter',
      unit,
      values: await rates(() => mayHoldSecret(bytes)),
      limit: { name: 'SHA-256 of the same bytes', unit, values: hash },
    }),
    toFigure({
      name: 'classify_text',
      unit,
      values: await rates(() => [findSecrets(text), findPersonal(text)]),
      limit: { name: 'JSON.parse of the same text', unit, values: parse },
    }),
  ];
}

async function measureHostile(bench: Bench, { mayHoldSecret, findSecrets, findPersonal }: Modules) {
  let slowest = { ms: 0, what: '' };
  const values = await repeat(bench.runs, () => {
    let most = 0;
    for (const [name, build] of Object.entries(HOSTILE)) {
      const text = build(HOSTILE_BYTES);
      const bytes = Buffer.from(text);
      const searches = {
        secrets: () => findSecrets(text),
        people: () => findPersonal(text),
        bytes: () => mayHoldSecret(bytes),
      };
      for (const [what, search] of Object.entries(searches)) {
        const ms = Math.min(...Array.from({ length: HOSTILE_RUNS }, () => cpuMs(search)));
        if (ms > slowest.ms) slowest = { ms, what: `${name} (${what}, ${rounded(ms)} ms)` };
        most = Math.max(most, ms);
      }
    }
    return most;
  });
  const bytes = Buffer.alloc(HOSTILE_BYTES, 'x');
  const hash = await repeat(bench.runs, () => cpuMs(() => createHash('sha256').update(bytes).digest()));
  const limit = { name: 'SHA-256 of 1 MB', unit: 'ms', values: hash.map((ms) => Math.max(ms, 0.001)) };
  const figure = toFigure({ name: 'classify_hostile', unit: 'ms', values, limit, atMost: MOST_HOSTILE_MS });
  return { figure, slowest: slowest.what };
}

async function measureShares(bench: Bench, modules: Modules, body: Buffer) {
  const { otlpLogs, readWithoutSecrets, createNormaliser, createSurrogates } = modules;
  const envelope: Envelope = { ...HEADER, body };
  const fingerprint = (): string => '0'.repeat(16);
  const ack = await compare(bench, 'classify_ack', {
    withIt: () => readWithoutSecrets(otlpLogs, envelope, fingerprint),
    without: () => otlpLogs.read(envelope),
  });
  const options = { surrogates: createSurrogates(new Uint8Array(32)) };
  const labels = createNormaliser(options);
  const plain = createNormaliser({ ...options, classify: ({ content }) => ({ content, data_classes: [] }) });
  const normalise = await compare(bench, 'classify_normalise', {
    withIt: () => labels(envelope),
    without: () => plain(envelope),
  });
  return { ack, normalise };
}

async function compare(
  bench: Bench,
  name: string,
  { withIt, without }: { readonly withIt: () => unknown; readonly without: () => unknown },
): Promise<Figure> {
  const pairs = await repeat(bench.runs, () => [perCpuSecond(without), perCpuSecond(withIt)] as const);
  const unit = 'records/s';
  const bare = pairs.map(([rate]) => rate * BATCH_EVENTS);
  const values = pairs.map(([, rate]) => rate * BATCH_EVENTS);
  const limit = { name: 'the same without the classifier', unit, values: bare };
  return toFigure({ name, unit, values, limit, atLeast: rounded(LEAST_SHARE * spread(bare).median) });
}

function perCpuSecond(work: () => unknown): number {
  for (let warmUp = 0; warmUp < 50; warmUp += 1) work();
  const before = process.cpuUsage();
  let count = 0;
  let spent = 0;
  while (spent < SPIN_CPU_MS) {
    for (let round = 0; round < 10; round += 1) work();
    count += 10;
    const { user, system } = process.cpuUsage(before);
    spent = (user + system) / 1000;
  }
  return (count * 1000) / spent;
}

function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
