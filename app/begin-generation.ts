/**
 * Begins a new generation of the logs of a deployment after somebody stole their keys. In: a deployment whose logs nobody
 * seals, an archive that holds no log, and the archive before. Out: new logs under new keys that name the trusted heads of the
 * old ones. The one invariant: the plan is durable before anything else changes, and is removed when all is done.
 */
import { existsSync } from 'node:fs';
import { openAcceptedEventLog } from './accepted-event-log.ts';
import { probeAtStart } from './checks.ts';
import type { AppContext } from './context.ts';
import { lockPolicy, logPolicy } from './deployment.ts';
import { noDeployment, readDeployment, readPseudonymKey, renameLogs } from './deployment-file.ts';
import { openArchive, openRecords } from './engines.ts';
import { closeToOthers } from './folder-modes.ts';
import {
  makePlan,
  readPlan,
  requireSameRequest,
  type GenerationPlan,
  type GenerationRequest,
  type PlannedLog,
} from './generation-plan.ts';
import { archivedLogs, headLogParts } from './head-log-role.ts';
import { requireNoKeyChange } from './key-change.ts';
import { CloseStack, openLog, openSealingEngines, type SealingEngines } from './logs.ts';
import { dataPaths } from './paths.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { createOwnRecords } from '../ingest/own-records.ts';
import { createSurrogates } from '../ingest/surrogates.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import { PipelineError } from '../schemas/errors.ts';
import { HEAD_LOG } from '../schemas/head-entry.ts';
import type { Archive } from '../store/archive/archive.ts';
import { factsOfContinuation } from '../store/chain/continuation.ts';
import { LOG_ROOT } from '../store/chain/layout.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { moveSecretFile, removeSecretFile } from '../store/keys/secret-file.ts';
import type { Signer } from '../store/keys/signer.ts';
import type { Batch } from '../store/ledger/commit.ts';
import { createLog, readGenesis } from '../store/ledger/genesis.ts';
import { toNamedHead } from '../store/ledger/head-log-entries.ts';
import { openHeadLog } from '../store/ledger/head-log.ts';
import type { Ledger } from '../store/ledger/ledger.ts';

export interface BegunGeneration {
  /** Whether an interrupted beginning was completed. */
  readonly isResumed: boolean;
  readonly plan: GenerationPlan;
}

/**
 * Begins the generation, or completes a beginning that was interrupted. After a crash on the line behind each mark it is true
 * that:
 *  1. the plan is durable (`makePlan`). From here on a start refuses to seal, and this command goes on.
 *  2. the record store is empty, or holds rows of the new logs alone. A server that has it open refuses the command here,
 *     before any log, name or key has changed.
 *  3. some logs have their genesis, which the new keys signed; the old keys are in place still.
 *  4. the deployment names the new logs.
 *  5. the new keys are in place. The old private keys are gone from this folder, and nothing needs them.
 *  6. some logs have their first record, which says where reading of the event log goes on.
 *  7. all is done, and the plan is gone.
 * Throws START_REFUSED without a deployment, where the archive holds a log, and as the start of a server does.
 */
export async function beginGeneration(
  context: AppContext,
  request: GenerationRequest,
): Promise<BegunGeneration> {
  const { config, replaced } = context;
  const paths = dataPaths(config);
  requireNoKeyChange(config, 'begin-generation');
  const deployment = await readDeployment(config);
  if (deployment === undefined) throw noDeployment(config);
  await readPseudonymKey(config);
  await closeToOthers(context);
  await probeAtStart(context);
  const stack = new CloseStack();
  try {
    const archive = replaced.archive ?? stack.keep(await openArchive(context));
    // Another event log than the accepted one refuses before anything is written.
    const eventLog = replaced.eventLog ?? stack.keep(await openAcceptedEventLog(context));
    const begun = await readPlan(context);
    if (begun === undefined) await requireNoLog(context, archive);
    else requireSameRequest(begun, request);
    const plan = begun ?? (await makePlan(context, deployment, request)); // 1
    await emptyRecords(context); // 2
    await createLogs(context, archive, plan); // 3
    await renameLogs(
      config,
      plan.logs.map(({ origin }) => origin),
    ); // 4
    await putInPlace(paths.generationPackageKey, paths.packageKey);
    await putInPlace(paths.generationSigningKey, paths.signingKey); // 5
    await sealFirstRecords(context, eventLog, plan); // 6
    await removeSecretFile(paths.generationPlan); // 7
    return { isResumed: begun !== undefined, plan };
  } finally {
    await stack.close();
  }
}

async function requireNoLog({ config }: AppContext, archive: Archive): Promise<void> {
  for await (const key of archive.list(LOG_ROOT)) {
    const where = config.s3.bucket ?? dataPaths(config).archive;
    throw new PipelineError(
      'START_REFUSED',
      `${where} holds a log (${key}): a new generation begins in an archive without one`,
      {
        hint: 'stop every server and move the old archive away, or configure another bucket or prefix; keep the old archive, it is evidence up to the trusted heads',
      },
    );
  }
}

/** Creates what is missing of the first objects. They follow from the plan, so a second run makes the same bytes. */
async function createLogs(context: AppContext, archive: Archive, plan: GenerationPlan): Promise<void> {
  const { config } = context;
  const promises = { lockFor: lockPolicy(config), policy: logPolicy(config) };
  const clock = () => Date.parse(plan.begun_at);
  const { head_log, logs } = plan;
  const isSynthetic = logs.some(({ synthetic }) => synthetic);
  const heads = await plannedSigner(context, head_log);
  if (!(await isBegun(archive, HEAD_LOG, head_log.vkey)))
    await createLog({ archive, signer: heads, clock, ...promises, log: HEAD_LOG, isSynthetic });
  for (const planned of logs) {
    const { log, vkey, package_key: packageKey, continues, synthetic } = planned;
    const signer = await plannedSigner(context, planned);
    if (await isBegun(archive, log, vkey)) continue;
    const named = { log, headLog: heads.vkey, packageKey, continues, isSynthetic: synthetic };
    await createLog({ archive, signer, clock, ...promises, ...named });
  }
}

/** The signer with the key of the plan, which may be in place already. Throws START_REFUSED where it is neither there nor here. */
async function plannedSigner(
  { config }: AppContext,
  { origin, vkey }: Pick<PlannedLog, 'origin' | 'vkey'>,
): Promise<Signer> {
  const { generationSigningKey, signingKey, generationPlan } = dataPaths(config);
  const path = existsSync(generationSigningKey) ? generationSigningKey : signingKey;
  const signer = await openFileSigner(path, origin);
  if (signer.vkey === vkey) return signer;
  throw new PipelineError(
    'START_REFUSED',
    `${path} is not the key that ${generationPlan} names; restore keys/ from the backup`,
  );
}

async function isBegun(archive: Archive, log: string, vkey: string): Promise<boolean> {
  const genesis = await readGenesis(archive, log);
  if (genesis === undefined) return false;
  if (genesis.vkey === vkey) return true;
  throw new PipelineError(
    'START_REFUSED',
    `log ${log} of the archive is ${genesis.origin}, which is not the one that the plan begins`,
  );
}

/** The rows belong to the old logs, whose short names are the same. */
async function emptyRecords(context: AppContext): Promise<void> {
  if (context.replaced.records !== undefined) return;
  await (await openRecords(context, () => Promise.resolve())).close();
}

async function putInPlace(from: string, to: string): Promise<void> {
  if (existsSync(from)) await moveSecretFile(from, to);
}

async function sealFirstRecords(
  context: AppContext,
  eventLog: EventLog,
  plan: GenerationPlan,
): Promise<void> {
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack, { keyWork: 'begin-generation' });
    for (const [partition, planned] of plan.logs.entries())
      await sealFirstRecord(context, engines, { planned, begun_at: plan.begun_at, eventLog, partition });
    const logs = await archivedLogs(context, engines);
    const heads = await Promise.all(logs.map(async (log) => toNamedHead(log, await log.checkpoint())));
    const everyMs = context.config.store.head_log_every_ms;
    await openHeadLog({ ...(await headLogParts(context, engines)), everyMs }).update(heads);
  } finally {
    await stack.close();
  }
}

interface FirstRecord {
  readonly planned: PlannedLog;
  readonly begun_at: string;
  readonly eventLog: EventLog;
  readonly partition: number;
}

async function sealFirstRecord(
  context: AppContext,
  engines: SealingEngines,
  { planned, begun_at, eventLog, partition }: FirstRecord,
): Promise<void> {
  const { log, origin, continues, position } = planned;
  const open = await openLog(context, engines, { log, origin });
  try {
    // Opening publishes the record that an earlier run has sealed.
    if (open.ledger.treeSize() > 0) return;
    const ownRecord = createOwnRecords({
      surrogates: createSurrogates(await readPseudonymKey(context.config)),
    });
    const record = ownRecord({
      type: 'generation.begun',
      naturalKey: [origin, canonicalJson(continues)],
      received_at: begun_at,
      facts: {
        ...factsOfContinuation(continues),
        ...missingSince(position, begun_at),
      },
    });
    const place = await placeIn(eventLog, partition, position);
    await append(open.ledger, { records: [record], ...place, duplicate_count: 0 });
  } finally {
    await open.close();
  }
}

/** Without a trusted leaf nobody knows since when, and every report is incomplete. */
function missingSince(position: PlannedLog['position'], begunAt: string): { missing_since?: string } {
  if (position === undefined) return {};
  const { received_at } = position;
  return { missing_since: Date.parse(received_at) < Date.parse(begunAt) ? received_at : begunAt };
}

async function append(ledger: Ledger, batch: Batch): Promise<void> {
  await (
    await ledger.append(batch)
  ).published;
}

/**
 * Where reading of the event log goes on: behind the trusted bundle, or at the first entry that is still there. The entries
 * between were sealed behind the trusted head. The writers are those of the trusted bundle, so their numbers show it.
 */
async function placeIn(
  eventLog: EventLog,
  partition: number,
  trusted: PlannedLog['position'],
): Promise<Pick<Batch, 'next_offset' | 'event_log' | 'writers'>> {
  const first = await eventLog.settle(partition, undefined);
  if (trusted === undefined) return { next_offset: first, event_log: eventLog.id };
  const { event_log, writers } = trusted;
  const next_offset = BigInt(trusted.next_offset);
  // Offsets of another event log say nothing about this one. A start reads an accepted one from its beginning.
  const isSame = event_log === undefined || event_log === eventLog.id;
  return { next_offset: isSame && first > next_offset ? first : next_offset, event_log, writers };
}
