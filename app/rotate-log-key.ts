/**
 * Changes the key of every log of a deployment. In: a deployment whose logs nobody seals. Out: all logs under the next key,
 * each change signed by the old one; the next key has replaced the signing key. The one invariant: as long as any log
 * is under the old key, both keys are on this machine.
 */
import type { AppContext } from './context.ts';
import { readPseudonymKey, type DeployedLog } from './deployment-file.ts';
import { archivedLogs, headLogParts } from './head-log-role.ts';
import { CloseStack, openSealingEngines, prepareLog, type SealingEngines } from './logs.ts';
import { dataPaths } from './paths.ts';
import { createOwnRecords } from '../ingest/own-records.ts';
import { createSurrogates } from '../ingest/surrogates.ts';
import { toInstant } from '../schemas/clock.ts';
import { HEAD_LOG } from '../schemas/head-entry.ts';
import { createNextSigningKey, openFileSigner } from '../store/keys/file-signer.ts';
import { moveSecretFile } from '../store/keys/secret-file.ts';
import type { Signer } from '../store/keys/signer.ts';
import { toNamedHead } from '../store/ledger/head-log-entries.ts';
import { changeHeadLogKey } from '../store/ledger/head-log.ts';
import { changeLogKey, draftRotation, type KeyChange } from '../store/ledger/rotate-key.ts';

/** A log under its next key. */
export interface RotatedLog extends KeyChange {
  readonly log: string;
  readonly origin: string;
  readonly old_vkey: string;
  readonly new_vkey: string;
}

export interface LogKeyRotation {
  /** Whether an interrupted change was completed, and no new key was made. */
  readonly isResumed: boolean;
  /** The logs of the deployment in their order, the head log last. */
  readonly logs: readonly RotatedLog[];
}

/**
 * Changes the key of all logs, or completes a change that was interrupted. After a crash on the line behind each mark it is
 * true that:
 *  1. the next key is durable, and no log names it. From here on a start refuses to seal, and this command goes on.
 *  2. some logs are under the next key, the others under the old one (`changeLogKey`); both keys are here.
 *  3. all logs are under the next key, and each has its checkpoint under both.
 *  4. the signing key is the next key. The old one is gone from this folder, and nothing needs it.
 * Throws START_REFUSED without a deployment, and as the start of a server does.
 */
export async function rotateLogKey(context: AppContext): Promise<LogKeyRotation> {
  const { signingKey, nextSigningKey } = dataPaths(context.config);
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack, { mayChangeKey: true });
    const isResumed = await createNextSigningKey(nextSigningKey); // 1
    const logs: RotatedLog[] = [];
    for (const named of engines.deployment.logs) logs.push(await rotateOne(context, engines, named)); // 2
    // Its entry names the heads of the others under both keys.
    logs.push(await rotateHeadLog(context, engines)); // 3
    await moveSecretFile(nextSigningKey, signingKey); // 4
    return { isResumed, logs };
  } finally {
    await stack.close();
  }
}

async function rotateOne(
  context: AppContext,
  engines: SealingEngines,
  named: DeployedLog,
): Promise<RotatedLog> {
  const { config, system } = context;
  const nextSigner = await openFileSigner(dataPaths(config).nextSigningKey, named.origin);
  const prepared = await prepareLog(context, engines, named);
  const { options } = prepared;
  const { signer } = options;
  try {
    const ownRecord = createOwnRecords({ surrogates: createSurrogates(await readPseudonymKey(config)) });
    const record = ownRecord({
      type: 'key.rotated',
      naturalKey: [signer.vkey, nextSigner.vkey],
      received_at: toInstant(system.clock()),
      facts: { old_vkey: signer.vkey, new_vkey: nextSigner.vkey },
    });
    const rotation = { ...options, nextSigner };
    return describe(named, rotation, await changeLogKey(rotation, draftRotation(rotation, record)));
  } finally {
    await prepared.close();
  }
}

async function rotateHeadLog(context: AppContext, engines: SealingEngines): Promise<RotatedLog> {
  const parts = await headLogParts(context, engines);
  const nextSigner = await openFileSigner(dataPaths(context.config).nextSigningKey, parts.signer.name);
  const logs = await archivedLogs(context, engines);
  const heads = await Promise.all(logs.map(async (log) => toNamedHead(log, await log.checkpoint())));
  const change = await changeHeadLogKey({ ...parts, nextSigner }, heads);
  return describe({ log: HEAD_LOG, origin: parts.signer.name }, { ...parts, nextSigner }, change);
}

function describe(
  { log, origin }: DeployedLog,
  { signer, nextSigner }: { readonly signer: Signer; readonly nextSigner: Signer },
  change: KeyChange,
): RotatedLog {
  return { log, origin, old_vkey: signer.vkey, new_vkey: nextSigner.vkey, ...change };
}
