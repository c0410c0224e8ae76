/** Runs the API on the engines and roles of this process. */
import { buildApi, type EvidenceSources } from '../api/app.ts';
import { buildMetrics, type MetricsSnapshot } from '../api/metrics.ts';
import type { Readiness } from '../api/routes/operation.ts';
import { createBacklogReader } from './backlog.ts';
import type { AppContext } from './context.ts';
import type { DataFolder } from './data-folder.ts';
import { archivedLogs, type HeadLogState } from './head-log-role.ts';
import type { IngestThread } from './ingest-thread.ts';
import { openPackages, type CloseStack, type Engines } from './logs.ts';
import { toFailure, type PartitionState } from './partitions.ts';
import { createReachable, type Reachable } from './reachable.ts';
import type { Sequencing } from './sequence-role.ts';
import { closeWithin } from '../ingest/receivers/serve.ts';
import { PipelineError } from '../schemas/errors.ts';
import { openArchivedTree } from '../store/ledger/archived-tree.ts';
import { createTokenVerifier, type TokenEntry } from '../store/keys/tokens.ts';
import type { Ledger } from '../store/ledger/ledger.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';

/** How long a request in hand may still take when the process ends. */
const CLOSE_GRACE_MS = 5_000;

export interface ApiParts {
  readonly tokens: readonly TokenEntry[];
  readonly folder: DataFolder;
  /** Left out in a process that serves no evidence. */
  readonly engines?: Engines | undefined;
  readonly sequencing?: Sequencing | undefined;
  /** Where the head log stands; left out in a process that does not write it. */
  readonly headLog?: (() => HeadLogState) | undefined;
  readonly ingest?: IngestThread | undefined;
}

/** Listens and resolves with the port. Every process serves the routes of operation; api and report serve evidence. */
export async function startApi(context: AppContext, parts: ApiParts, stack: CloseStack): Promise<number> {
  const { config, logger, system } = context;
  const { sequencing, headLog, ingest, tokens } = parts;
  const snapshot = async (): Promise<MetricsSnapshot> => ({
    receivers: ingest?.counters(),
    sequencer: sequencing?.counters(),
    ledger: sequencing === undefined ? undefined : await sizesOf(sequencing.ledgers()),
    // The other figures stay readable while the event log does not answer; /readyz gives the reason.
    lag: await sequencing?.lag().catch(() => undefined),
    partitions: sequencing === undefined ? undefined : { parked: parkedCount(sequencing) },
    headLogAgeMs: ageOf(headLog?.(), system.clock()),
    keyReads: sequencing?.keyReads(),
  });
  const metrics = buildMetrics(snapshot);
  const reachable = parts.engines === undefined ? undefined : createReachable(parts.engines.records);
  const app = buildApi({
    evidence: await evidenceOf(context, parts, stack),
    verifyToken: createTokenVerifier(tokens),
    readiness: () => readinessOf(context, parts, reachable),
    metrics: () => metrics.text(),
    logger: logger.child({ role: 'api' }),
    clock: system.clock,
    newId: system.newId,
  });
  stack.keep({ close: closeWithin(app, CLOSE_GRACE_MS) });
  return Number(new URL(await listen(app, config)).port);
}

async function listen(
  app: ReturnType<typeof buildApi>,
  { host, api }: AppContext['config'],
): Promise<string> {
  try {
    return await app.listen({ host, port: api.port });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no code';
    const detail = `the API cannot listen on port ${String(api.port)} of ${host}: ${code}`;
    throw new PipelineError('START_REFUSED', detail, { cause });
  }
}

/** Whether this process does its work now, and the reason if it does not. Each part that can fail adds its reasons here. */
async function readinessOf(
  { config }: AppContext,
  { folder, sequencing, headLog }: ApiParts,
  reachable: Reachable | undefined,
): Promise<Readiness> {
  const role = config.role === undefined ? {} : { role: config.role };
  const reasons = new Set<string>(await folder.reasons());
  const unreachable = await reachable?.();
  if (unreachable !== undefined) reasons.add(unreachable);
  if (sequencing === undefined) return { ready: reasons.size === 0, reasons: [...reasons], ...role };
  const partitions = sequencing.partitions();
  for (const reason of reasonsOf(partitions)) reasons.add(reason);
  const lag = await sequencing.lag().catch((error: unknown) => {
    reasons.add(toFailure(error).code);
    return undefined;
  });
  const ledgers = sequencing.ledgers();
  return {
    ready: reasons.size === 0,
    reasons: [...reasons],
    ...role,
    ...(lag === undefined ? {} : { lag }),
    partitions: partitions.map(({ log, state, reason, detail }) => ({
      log,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(detail === undefined ? {} : { detail }),
    })),
    ...(config.kafka.brokers === undefined ? {} : { logs: ledgers.map(({ log }) => log).sort() }),
    ...(await sizesOf(ledgers)),
    ...headLogOf(headLog?.()),
  };
}

/** A head log that is behind leaves the process ready: sealing does not wait for it. */
function headLogOf(state: HeadLogState | undefined): Pick<Readiness, 'head_log'> {
  if (state === undefined) return {};
  const { taken_at, failure } = state;
  return {
    head_log: {
      ...(taken_at === undefined ? {} : { taken_at }),
      ...(failure === undefined ? {} : { reason: failure }),
    },
  };
}

function ageOf(state: HeadLogState | undefined, nowMs: number): number | undefined {
  return state?.taken_at === undefined ? undefined : Math.max(0, nowMs - Date.parse(state.taken_at));
}

/** A parked partition leaves the process ready while another of its partitions is not parked. */
function reasonsOf(partitions: readonly PartitionState[]): string[] {
  if (partitions.length === 0) return ['unassigned'];
  const others = partitions.filter(({ state }) => state !== 'parked');
  if (others.length === 0) return partitions.map(({ reason }) => reason ?? 'parked');
  return others.flatMap(({ state, reason }) => {
    if (state === 'retrying') return [reason ?? state];
    return state === 'filling' ? [state] : [];
  });
}

function parkedCount(sequencing: Sequencing): number {
  return sequencing.partitions().filter(({ state }) => state === 'parked').length;
}

/** A process that has no log open knows no size. */
async function sizesOf(ledgers: readonly Ledger[]) {
  if (ledgers.length === 0) return undefined;
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
  const readBacklog = createBacklogReader(context, sequencing, stack);
  const opened =
    role === 'api' ? undefined : await openPackages(context, engines, { published, readBacklog });
  const packages = opened === undefined ? undefined : stack.keep(opened);
  const { archive, deployment } = engines;
  const trees = new Map(deployment.logs.map(({ log }) => [log, openArchivedTree({ archive, log })]));
  return { store: engines.records, published, trees, packages, readBacklog };
}

/** Logs that this process seals are read from their ledgers; other logs are read from the archive. */
async function publishedLogs(
  context: AppContext,
  engines: Engines,
  sequencing: Sequencing | undefined,
): Promise<readonly PublishedLog[]> {
  const isAlone = context.config.kafka.brokers === undefined;
  return isAlone && sequencing !== undefined ? sequencing.ledgers() : archivedLogs(context, engines);
}
