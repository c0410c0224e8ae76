/** Binds the API to what this process has. Part of the composition root. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { buildApi, type EvidenceSources } from '../api/app.ts';
import { buildMetrics, type MetricsSnapshot } from '../api/metrics.ts';
import type { Readiness } from '../api/routes/operation.ts';
import type { IngestThread } from './ingest-thread.ts';
import { systemClock } from './paths.ts';
import type { Sequencing } from './sequence-role.ts';
import { openPackages, type CloseStack, type Engines } from './logs.ts';
import type { Config } from '../config.ts';
import { closeWithin } from '../ingest/receivers/serve.ts';
import { PipelineError } from '../schemas/errors.ts';
import { openArchivedLog, readLogKey } from '../store/ledger/archived-log.ts';
import { createTokenVerifier, type TokenEntry } from '../store/keys/tokens.ts';
import type { Ledger } from '../store/ledger/ledger.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';
import { reachable } from '../store/records/queries/reachable.ts';
import type { RecordStore } from '../store/records/record-store.ts';

/** What a question to the API may still take when the process is asked to end. */
const CLOSE_GRACE_MS = 5_000;
const PROBE_LIMIT_MS = 5_000;

export interface ApiParts {
  readonly tokens: readonly TokenEntry[];
  readonly logger: Logger;
  /** Left out where the process serves no evidence. */
  readonly engines?: Engines | undefined;
  readonly sequencing?: Sequencing | undefined;
  readonly ingest?: IngestThread | undefined;
}

/** Listens and gives the port. Every process has the routes of operation; evidence is for the roles api and report. */
export async function startApi(config: Config, parts: ApiParts, stack: CloseStack): Promise<number> {
  const { sequencing, ingest, tokens, logger } = parts;
  const snapshot = async (): Promise<MetricsSnapshot> => ({
    receivers: ingest?.counters(),
    sequencer: sequencing?.counters(),
    ledger: sequencing === undefined ? undefined : await sizesOf(sequencing.ledgers()),
    lag: await sequencing?.lag(),
  });
  const metrics = buildMetrics(snapshot);
  const app = buildApi({
    evidence: await evidenceOf(config, parts, stack),
    verifyToken: createTokenVerifier(tokens),
    readiness: () => readinessOf(config, parts),
    metrics: () => metrics.text(),
    logger: logger.child({ role: 'api' }),
    clock: systemClock,
    newId: randomUUID,
  });
  stack.keep({ close: closeWithin(app, CLOSE_GRACE_MS) });
  return Number(new URL(await app.listen({ host: config.host, port: config.api.port })).port);
}

async function readinessOf(config: Config, { sequencing, engines }: ApiParts): Promise<Readiness> {
  const role = config.role === undefined ? {} : { role: config.role };
  if (sequencing === undefined) {
    const reasons = engines === undefined ? [] : await unreachable(engines.records);
    return { ready: reasons.length === 0, reasons, ...role };
  }
  const reasons = sequencing.retrying();
  const ledgers = sequencing.ledgers();
  return {
    ready: reasons.length === 0,
    reasons: [...reasons],
    ...role,
    lag: await sequencing.lag(),
    ...(config.kafka.brokers === undefined ? {} : { logs: ledgers.map(({ log }) => log).sort() }),
    ...(await sizesOf(ledgers)),
  };
}

/** A sequencer hears of it when it writes; who only reads has to ask. */
async function unreachable(records: RecordStore): Promise<string[]> {
  try {
    await records.read(reachable(), { maxExecutionMs: PROBE_LIMIT_MS });
    return [];
  } catch (error) {
    return [error instanceof PipelineError ? error.code : 'INTERNAL'];
  }
}

async function sizesOf(ledgers: readonly Ledger[]) {
  const published = await Promise.all(ledgers.map((ledger) => ledger.checkpoint()));
  return {
    tree_size: ledgers.reduce((sum, ledger) => sum + ledger.treeSize(), 0),
    published_tree_size: published.reduce((sum, one) => sum + (one?.tree_size ?? 0), 0),
  };
}

async function evidenceOf(
  config: Config,
  { engines, sequencing, logger }: ApiParts,
  stack: CloseStack,
): Promise<EvidenceSources | undefined> {
  if (engines === undefined || config.role === 'sequence') return undefined;
  const published = await publishedLogs(config, engines, sequencing);
  const packages =
    config.role === 'api' ? undefined : stack.keep(await openPackages(config, engines, published, logger));
  return { store: engines.records, published, packages };
}

/** The ledger itself knows its head first; of logs that other processes may seal the archive tells. */
async function publishedLogs(
  config: Config,
  { deployment, archive, records }: Engines,
  sequencing: Sequencing | undefined,
): Promise<readonly PublishedLog[]> {
  if (config.kafka.brokers === undefined && sequencing !== undefined) return sequencing.ledgers();
  return Promise.all(
    deployment.logs.map(async ({ log, origin }) => {
      const signer = await readLogKey(archive, log, origin);
      return openArchivedLog({ log, signer, archive, records, clock: systemClock });
    }),
  );
}
