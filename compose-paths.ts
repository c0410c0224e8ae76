/** Where a deployment lies on this machine, and the machine's clock. Part of the composition root. */
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Clock } from './schemas/clock.ts';

/** The machine's clock; everything else gets it handed. */
export const systemClock: Clock = Date.now;

/** Where everything lies: keys in a folder that processes of a deployment may share, the rest below the data folder. */
export function dataPaths({ data, keys = join(data, 'keys') }: Pick<Config, 'data' | 'keys'>) {
  return {
    keys,
    deployment: join(keys, 'deployment.json'),
    signingKey: join(keys, 'signing-key.pem'),
    pseudonymKey: join(keys, 'pseudonym-key'),
    tokens: join(keys, 'tokens.json'),
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
