/** First start of the embedded default: makes keys, tokens and the log, once. Part of the composition root. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { Config } from './config.ts';
import { toInstant, type Clock } from './schemas/clock.ts';
import { PipelineError } from './schemas/errors.ts';
import { InstantUtc } from './schemas/primitives.ts';
import type { ArchiveLock } from './store/archive.ts';
import { genesisKey } from './store/chain/layout.ts';
import { createSigningKey, openFileSigner } from './store/keys/file-signer.ts';
import { readSecretFile, writeSecretFile } from './store/keys/secret-file.ts';
import { readTokens, toTokenEntry, writeTokens } from './store/keys/tokens.ts';
import { createLog } from './store/ledger.ts';
import type { LockKind } from './store/ledger-options.ts';
import { openLocalArchive } from './store/local/archive.ts';

/** The machine's clock; everything else gets it handed. */
export const systemClock: Clock = Date.now;

/** The one log of the embedded default. */
export const LOG = 'p0';

const DAY_MS = 86_400_000;
const TOKEN_BYTES = 32;
const PSEUDONYM_KEY_BYTES = 32;

/** Where everything lies below the data folder. */
export function dataPaths(data: string) {
  const keys = join(data, 'keys');
  return {
    keys,
    deployment: join(keys, 'deployment.json'),
    signingKey: join(keys, 'signing-key.pem'),
    pseudonymKey: join(keys, 'pseudonym-key'),
    headGuard: join(keys, 'head-guard.json'),
    tokens: join(keys, 'tokens.json'),
    eventLog: join(data, 'event-log'),
    seenIds: join(data, 'seen-ids'),
    records: join(data, 'records'),
    archive: join(data, 'archive'),
    packages: join(data, 'packages'),
  } as const;
}

const Deployment = Type.Object({ v: Type.Literal(1), origin: Type.String(), created_at: InstantUtc });
export type Deployment = Static<typeof Deployment>;

/** Tokens in clear, to be shown once; undefined where the operator gave the token and knows it. */
export interface GeneratedTokens {
  readonly admin: string | undefined;
  readonly collector: string | undefined;
}

export interface Initialised {
  readonly deployment: Deployment;
  /** Undefined if everything was there already. */
  readonly created: GeneratedTokens | undefined;
}

/** The deployment as `initialise` wrote it, or undefined before the first start. */
export async function readDeployment(data: string): Promise<Deployment | undefined> {
  const path = dataPaths(data).deployment;
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return undefined;
  try {
    return Value.Parse(Deployment, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new PipelineError('START_REFUSED', `${path} does not read as written`, { cause });
  }
}

/**
 * Makes what is missing and ends with `deployment.json`, so that a start that was cut short is finished by the next.
 * Refuses to make new keys beside an archive that already holds a log: they would start a second history.
 */
export async function initialise(config: Config, clock: Clock = systemClock): Promise<Initialised> {
  const existing = await readDeployment(config.data);
  if (existing !== undefined) return { deployment: existing, created: undefined };
  const paths = dataPaths(config.data);
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  if (!existsSync(paths.signingKey)) {
    if (existsSync(join(paths.archive, genesisKey(LOG)))) {
      throw new PipelineError(
        'START_REFUSED',
        `${paths.archive} holds a log, but its keys are not in ${paths.keys}; restore them from the backup`,
      );
    }
    await createSigningKey(paths.signingKey);
  }
  if ((await readSecretFile(paths.pseudonymKey)) === undefined) {
    await writeSecretFile(paths.pseudonymKey, randomBytes(PSEUDONYM_KEY_BYTES));
  }
  const created = await createTokens(config, paths.tokens);
  const deployment = await createDeployment(config, clock, paths);
  return { deployment, created };
}

/** Adds a collector with a token of its own and gives the token; a running server knows it after its next start. */
export async function addCollector(config: Config, id: string): Promise<string> {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(id)) {
    throw new PipelineError(
      'CONFIG_INVALID',
      `collector name ${JSON.stringify(id)} is not of a-z, 0-9, ".", "_", "-"`,
    );
  }
  const { tokens: path } = dataPaths(config.data);
  const known = (await readTokens(path)) ?? [];
  if (known.some((entry) => entry.id === id)) {
    throw new PipelineError('CONFIG_INVALID', `a credential named ${id} exists already`);
  }
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await writeTokens(path, [...known, toTokenEntry(id, 'collector', token)]);
  return token;
}

async function createTokens(config: Config, path: string): Promise<GeneratedTokens> {
  const generate = (given: string | undefined) =>
    given === undefined ? randomBytes(TOKEN_BYTES).toString('base64url') : undefined;
  const admin = generate(config.admin_token);
  const collector = generate(config.collector_token);
  await writeTokens(path, [
    toTokenEntry('admin', 'admin', config.admin_token ?? admin ?? ''),
    toTokenEntry('collector', 'collector', config.collector_token ?? collector ?? ''),
  ]);
  return { admin, collector };
}

async function createDeployment(
  config: Config,
  clock: Clock,
  paths: ReturnType<typeof dataPaths>,
): Promise<Deployment> {
  const earlier = await earlierOrigin(paths.archive);
  const origin = earlier ?? config.origin ?? `affidavit.invalid/${randomUUID()}/${LOG}`;
  const archive = await openLocalArchive({ dir: paths.archive, clock });
  try {
    if (earlier === undefined) {
      const signer = await openFileSigner(paths.signingKey, origin);
      await createLog({ archive, signer, clock, lockFor: lockPolicy(config), log: LOG }, genesisKey(LOG));
    }
  } finally {
    await archive.close();
  }
  const deployment: Deployment = { v: 1, origin, created_at: toInstant(clock()) };
  await writeSecretFile(paths.deployment, `${JSON.stringify(deployment, null, 2)}\n`);
  return deployment;
}

/** A start that died after the genesis was written goes on with the origin that stands there. */
async function earlierOrigin(archive: string): Promise<string | undefined> {
  const bytes = await readSecretFile(join(archive, genesisKey(LOG)));
  if (bytes === undefined) return undefined;
  return Value.Parse(Type.Object({ origin: Type.String() }), JSON.parse(bytes.toString('utf8'))).origin;
}

/** Until when objects are locked: the two retention clocks of the configuration. */
export function lockPolicy(config: Config) {
  return (kind: LockKind, _retentionClass: string, now: number): ArchiveLock => {
    const days = kind === 'content' ? config.store.content_retention_days : config.store.retention_days;
    return { mode: 'governance', retain_until: toInstant(now + days * DAY_MS) };
  };
}
