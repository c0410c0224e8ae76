/**
 * Changes the key of every log of a deployment, and that of packages. In: a deployment whose logs nobody seals. Out: all logs
 * under the next keys, each change signed by the old one; the next keys have replaced the others. The one invariant: as long
 * as any log is under the old keys, both pairs are on this machine.
 */
import { existsSync } from 'node:fs';
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
import { packageKeyName } from '../store/chain/key-history.ts';
import { toNamedHead } from '../store/ledger/head-log-entries.ts';
import { changeHeadLogKey } from '../store/ledger/head-log.ts';
import {
  changeLogKey,
  draftRotation,
  type KeyChange,
  type RotateKeyOptions,
} from '../store/ledger/rotate-key.ts';

/** A log under its next key. */
export interface RotatedLog extends KeyChange {
  readonly log: string;
  readonly origin: string;
  readonly old_vkey: string;
  readonly new_vkey: string;
  /** Undefined for the head log. */
  readonly new_package_key?: string | undefined;
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
 *  1. the next package key is durable. From here on a start refuses to seal, and this command goes on.
 *  2. the next keys are durable, and no log names them.
 *  3. some logs are under the next keys, the others under the old ones (`changeLogKey`); both pairs are here.
 *  4. all logs are under the next keys, and each has its checkpoint under both.
 *  5. the package key is the next one; a next signing key alone says so.
 *  6. the signing key is the next one. The old keys are gone from this folder, and nothing needs them.
 * Throws START_REFUSED without a deployment, and as the start of a server does.
 */
export async function rotateLogKey(context: AppContext): Promise<LogKeyRotation> {
  const { signingKey, nextSigningKey, packageKey, nextPackageKey } = dataPaths(context.config);
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack, { keyWork: 'rotate-log-key' });
    const isPackageKeyMoved = existsSync(nextSigningKey) && !existsSync(nextPackageKey);
    if (!isPackageKeyMoved) await createNextSigningKey(nextPackageKey); // 1
    const isResumed = await createNextSigningKey(nextSigningKey); // 2
    const packageKeyFile = isPackageKeyMoved ? packageKey : nextPackageKey;
    const logs: RotatedLog[] = [];
    for (const named of engines.deployment.logs)
      logs.push(await rotateOne({ context, engines, packageKeyFile }, named)); // 3
    // Its entry names the heads of the others under both keys.
    logs.push(await rotateHeadLog(context, engines)); // 4
    if (!isPackageKeyMoved) await moveSecretFile(nextPackageKey, packageKey); // 5
    await moveSecretFile(nextSigningKey, signingKey); // 6
    return { isResumed, logs };
  } finally {
    await stack.close();
  }
}

interface RotationParts {
  readonly context: AppContext;
  readonly engines: SealingEngines;
  /** Where the next package key lies. */
  readonly packageKeyFile: string;
}

async function rotateOne(
  { context, engines, packageKeyFile }: RotationParts,
  named: DeployedLog,
): Promise<RotatedLog> {
  const { config, system } = context;
  const nextSigner = await openFileSigner(dataPaths(config).nextSigningKey, named.origin);
  const { vkey: nextPackageKey } = await openFileSigner(packageKeyFile, packageKeyName(named.origin));
  const prepared = await prepareLog(context, engines, named);
  const { options } = prepared;
  const { signer } = options;
  try {
    const ownRecord = createOwnRecords({ surrogates: createSurrogates(await readPseudonymKey(config)) });
    const record = ownRecord({
      type: 'key.rotated',
      naturalKey: [signer.vkey, nextSigner.vkey],
      received_at: toInstant(system.clock()),
      facts: { old_vkey: signer.vkey, new_vkey: nextSigner.vkey, new_package_key: nextPackageKey },
    });
    const rotation = { ...options, nextSigner, nextPackageKey };
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

type NextKeyParts = Pick<RotateKeyOptions, 'signer' | 'nextSigner' | 'nextPackageKey'>;

function describe(
  { log, origin }: DeployedLog,
  { signer, nextSigner, nextPackageKey: new_package_key }: NextKeyParts,
  change: KeyChange,
): RotatedLog {
  return { log, origin, old_vkey: signer.vkey, new_vkey: nextSigner.vkey, new_package_key, ...change };
}
