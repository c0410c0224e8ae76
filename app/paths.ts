/** Where a deployment keeps its files, and the names of its logs. */
import { join } from 'node:path';
import type { Config } from '../config.ts';

/** Keys lie in a folder that the processes of a deployment may share, everything else in the data folder. */
export function dataPaths({ data, keys = join(data, 'keys') }: Pick<Config, 'data' | 'keys'>) {
  return {
    keys,
    deployment: join(keys, 'deployment.json'),
    signingKey: join(keys, 'signing-key.pem'),
    /** Only while the keys of the logs change. */
    nextSigningKey: join(keys, 'signing-key.next.pem'),
    packageKey: join(keys, 'package-key.pem'),
    /** As `nextSigningKey`. It is made first and is in place first. */
    nextPackageKey: join(keys, 'package-key.next.pem'),
    /** Only while a new generation begins: its plan, and its keys until they are in place. */
    generationPlan: join(keys, 'generation.next.json'),
    generationSigningKey: join(keys, 'generation-signing-key.next.pem'),
    generationPackageKey: join(keys, 'generation-package-key.next.pem'),
    pseudonymKey: join(keys, 'pseudonym-key'),
    eventLogKey: join(keys, 'event-log-key'),
    tokens: join(keys, 'tokens.json'),
    webhookSecrets: join(keys, 'webhook-secrets.json'),
    // Each machine has one, even where machines share the keys.
    headGuard: join(data, 'keys', 'head-guard.json'),
    eventLog: join(data, 'event-log'),
    records: join(data, 'records'),
    archive: join(data, 'archive'),
    packages: join(data, 'packages'),
    // Apart from each other and from the archive: each is backed up for itself.
    keyStore: join(data, 'key-store'),
    masterKeys: join(keys, 'master-keys'),
  } as const;
}

export type DataPaths = ReturnType<typeof dataPaths>;

/** Short name of the log of a partition. */
export function logOf(partition: number): string {
  return `p${String(partition)}`;
}

/**
 * Name in checkpoints of the log that continues another one. The generation stands before the name of the partition, in place
 * of the generation before; the first generation has none in its name.
 */
export function originOfGeneration(origin: string, generation: number): string {
  const [, base = origin, partition = ''] = /^(.*?)(\/p[0-9]+)?$/.exec(origin) ?? [];
  const before = `/g${String(generation - 1)}`;
  const first = generation > 2 && base.endsWith(before) ? base.slice(0, -before.length) : base;
  return `${first}/g${String(generation)}${partition}`;
}

/** Name of the head log in checkpoints, from that of the first log of the deployment. */
export function headLogOrigin(first: string): string {
  return `${first.replace(/\/p0$/, '')}/heads`;
}
