/** Where a deployment lies on this machine, its clock and its randomness. Part of the composition root. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Clock } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { readSecretFile } from '../store/keys/secret-file.ts';

/** The machine's clock; everything else gets it handed. */
export const systemClock: Clock = Date.now;

/** Ids that nobody can guess or repeat; handed on likewise. */
export const systemId = (): string => randomUUID();

/** Where everything lies: keys in a folder that processes of a deployment may share, the rest below the data folder. */
export function dataPaths({ data, keys = join(data, 'keys') }: Pick<Config, 'data' | 'keys'>) {
  return {
    keys,
    deployment: join(keys, 'deployment.json'),
    signingKey: join(keys, 'signing-key.pem'),
    pseudonymKey: join(keys, 'pseudonym-key'),
    tokens: join(keys, 'tokens.json'),
    webhookSecrets: join(keys, 'webhook-secrets.json'),
    // Of this machine, whoever else has the key.
    headGuard: join(data, 'keys', 'head-guard.json'),
    eventLog: join(data, 'event-log'),
    seenIds: join(data, 'seen-ids'),
    records: join(data, 'records'),
    archive: join(data, 'archive'),
    packages: join(data, 'packages'),
  } as const;
}

export type DataPaths = ReturnType<typeof dataPaths>;

/** Short name of the log of a partition. */
export function logOf(partition: number): string {
  return `p${String(partition)}`;
}

/** Throws START_REFUSED where the key that names people and secrets is not there. */
export async function readPseudonymKey({ pseudonymKey: path }: DataPaths): Promise<Uint8Array> {
  const key = await readSecretFile(path);
  if (key !== undefined) return key;
  throw new PipelineError('START_REFUSED', `${path} is missing; restore it from the backup`);
}
