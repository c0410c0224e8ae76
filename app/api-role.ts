/** Runs the API on the engines and roles of this process. */
import { buildApi, type EvidenceSources } from '../api/app.ts';
import { buildMetrics, type MetricsSnapshot } from '../api/metrics.ts';
import type { Readiness } from '../api/routes/operation.ts';
import type { AppContext } from './context.ts';
import type { IngestThread } from './ingest-thread.ts';
import { openPackages, type CloseStack, type Engines } from './logs.ts';
import type { Sequencing } from './sequence-role.ts';
import { closeWithin } from '../ingest/receivers/serve.ts';
import { PipelineError } from '../schemas/errors.ts';
import { openArchivedLog, readLogKey } from '../store/ledger/archived-log.ts';
import { createTokenVerifier, type TokenEntry } from '../store/keys/tokens.ts';
import type { Ledger } from '../store/ledger/ledger.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';
import { reachable } from '../store/records/queries/reachable.ts';
import type { RecordStore } from '../store/records/record-store.ts';

/** How long a request in hand may still take when the process ends. */
const CLOSE_GRACE_MS = 5_000;
/** How long the record store may take to answer the readiness check. */
const READINESS_LIMIT_MS = 5_000;

export interface ApiParts {
  readonly tokens: readonly TokenEntry[];
  /** Left out in a process that serves no evidence. */
  readonly engines?: Engines | undefined;
  readonly sequencing?: Sequencing | undefined;
  readonly ingest?: IngestThread | undefined;
}

/** Listens and resolves with the port. Every process serves the routes of operation; api and report serve evidence. */
export async function startApi(context: AppContext, parts: ApiParts, stack: CloseStack): Promise<number> {
  const { config, logger, system } = context;
  const { sequencing, ingest, tokens } = parts;
  const snapshot = async (): Promise<MetricsSnapshot> => ({
    receivers: ingest?.counters(),
    sequencer: sequencing?.counters(),
    ledger: sequencing === undefined ? undefined : await sizesOf(sequencing.ledgers()),
    lag: await sequencing?.lag(),
  });
  const metrics = buildMetrics(snapshot);
  const app = buildApi({
    evidence: await evidenceOf(context, parts, stack),
    verifyToken: createTokenVerifier(tokens),
    readiness: () => readinessOf(context, parts),
    metrics: () => metrics.text(),
    logger: logger.child({ role: 'api' }),
    clock: system.clock,
    newId: system.newId,
  });
  stack.keep({ close: closeWithin(app, CLOSE_GRACE_MS) });
  return Number(new URL(await app.listen({ host: config.host, port: config.api.port })).port);
}

async function readinessOf({ config }: AppContext, { sequencing, engines }: ApiParts): Promise<Readiness> {
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

/** A sequencer notices a lost record store when it writes; a process that only reads has to ask. */
async function unreachable(records: RecordStore): Promise<string[]> {
  try {
    await records.read(reachable(), { maxExecutionMs: READINESS_LIMIT_MS });
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
  context: AppContext,
  { engines, sequencing }: ApiParts,
  stack: CloseStack,
): Promise<EvidenceSources | undefined> {
  const { role } = context.config;
  if (engines === undefined || role === 'sequence') return undefined;
  const published = await publishedLogs(context, engines, sequencing);
  const packages = role === 'api' ? undefined : stack.keep(await openPackages(context, engines, published));
  return { store: engines.records, published, packages };
}

/** Logs that this process seals are read from their ledgers; other logs are read from the archive. */
async function publishedLogs(
  { config, system }: AppContext,
  { deployment, archive, records }: Engines,
  sequencing: Sequencing | undefined,
): Promise<readonly PublishedLog[]> {
  if (config.kafka.brokers === undefined && sequencing !== undefined) return sequencing.ledgers();
  return Promise.all(
    deployment.logs.map(async ({ log, origin }) => {
      const signer = await readLogKey(archive, log, origin);
      return openArchivedLog({ log, signer, archive, records, clock: system.clock });
    }),
  );
}
