/** First start: makes keys, tokens, topics, tables and logs, once. Part of the composition root. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { openArchive } from './archive.ts';
import { openKafka } from './event-log.ts';
import { dataPaths, logOf, systemClock, type DataPaths } from './paths.ts';
import { probeAtStart } from './probe.ts';
import { openRecords } from './records.ts';
import type { Config } from '../config.ts';
import { OWN_COLLECTOR } from '../ingest/own-events.ts';
import { toInstant, type Clock } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { InstantUtc } from '../schemas/primitives.ts';
import type { Archive, ArchiveLock } from '../store/archive/archive.ts';
import { genesisKey } from '../store/chain/layout.ts';
import { createSigningKey, openFileSigner } from '../store/keys/file-signer.ts';
import { readSecretFile, writeSecretFile } from '../store/keys/secret-file.ts';
import { readTokens, toTokenEntry, writeTokens } from '../store/keys/tokens.ts';
import { createLog } from '../store/ledger/ledger.ts';
import type { LockKind } from '../store/ledger/options.ts';

const DAY_MS = 86_400_000;
const TOKEN_BYTES = 32;
const PSEUDONYM_KEY_BYTES = 32;

const DeploymentFile = Type.Union([
  Type.Object({ v: Type.Literal(1), origin: Type.String(), created_at: InstantUtc }),
  Type.Object({
    v: Type.Literal(2),
    origins: Type.Array(Type.String(), { minItems: 1 }),
    created_at: InstantUtc,
  }),
]);

/** One log of a deployment: its short name in rows and keys, and its name in checkpoints. */
export interface DeployedLog {
  readonly log: string;
  readonly origin: string;
}

export interface Deployment {
  /** By partition of the event log. */
  readonly logs: readonly DeployedLog[];
  readonly created_at: string;
}

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
export async function readDeployment(config: Config): Promise<Deployment | undefined> {
  const path = dataPaths(config).deployment;
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return undefined;
  const deployment = parseDeployment(bytes, path);
  const wanted = partitionCountOf(config);
  if (deployment.logs.length === wanted) return deployment;
  const found = String(deployment.logs.length);
  throw new PipelineError(
    'START_REFUSED',
    `the deployment has ${found} logs and the configuration ${String(wanted)} partitions; their number is fixed`,
  );
}

function parseDeployment(bytes: Buffer, path: string): Deployment {
  try {
    const file = Value.Parse(DeploymentFile, JSON.parse(bytes.toString('utf8')));
    const origins = file.v === 1 ? [file.origin] : file.origins;
    return {
      logs: origins.map((origin, partition) => ({ log: logOf(partition), origin })),
      created_at: file.created_at,
    };
  } catch (cause) {
    throw new PipelineError('START_REFUSED', `${path} does not read as written`, { cause });
  }
}

function partitionCountOf({ kafka }: Config): number {
  return kafka.brokers === undefined ? 1 : kafka.partitions;
}

/**
 * Makes what is missing and ends with `deployment.json`, so that a start that was cut short is finished by the next.
 * Refuses to make new keys beside an archive that already holds a log: they would start a second history.
 */
export async function initialise(
  config: Config,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<Initialised> {
  const existing = await readDeployment(config);
  if (existing !== undefined) return { deployment: existing, created: undefined };
  const paths = dataPaths(config);
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  await probeAtStart(config, logger);
  const archive = await openArchive(config, logger);
  try {
    await makeKeys(paths, archive, config);
    const created = await createTokens(config, paths.tokens);
    if (config.kafka.brokers !== undefined) await createTopics(config, logger);
    // Of a server other processes may have rights to ask alone.
    if (config.clickhouse.url !== undefined) await (await openRecords(config)).close();
    return { deployment: await createLogs(config, clock, archive), created };
  } finally {
    await archive.close();
  }
}

async function makeKeys(paths: DataPaths, archive: Archive, config: Config): Promise<void> {
  if (!existsSync(paths.signingKey)) {
    if ((await archive.get(genesisKey(logOf(0)))) !== undefined) {
      throw new PipelineError(
        'START_REFUSED',
        `${config.s3.bucket ?? paths.archive} holds a log, but its keys are not in ${paths.keys}; restore them from the backup`,
      );
    }
    await createSigningKey(paths.signingKey);
  }
  if ((await readSecretFile(paths.pseudonymKey)) === undefined) {
    await writeSecretFile(paths.pseudonymKey, randomBytes(PSEUDONYM_KEY_BYTES));
  }
}

async function createTopics(config: Config, logger: Logger): Promise<void> {
  const eventLog = await openKafka(config, logger, { mayCreateTopics: true });
  await eventLog.close();
}

/** Adds a collector with a token of its own and gives the token; a running server knows it after its next start. */
export async function addCollector(config: Config, id: string): Promise<string> {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(id)) {
    throw new PipelineError(
      'CONFIG_INVALID',
      `collector name ${JSON.stringify(id)} is not of a-z, 0-9, ".", "_", "-"`,
    );
  }
  const { tokens: path } = dataPaths(config);
  const known = (await readTokens(path)) ?? [];
  if (id === OWN_COLLECTOR || known.some((entry) => entry.id === id)) {
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

async function createLogs(config: Config, clock: Clock, archive: Archive): Promise<Deployment> {
  const paths = dataPaths(config);
  const count = partitionCountOf(config);
  const base =
    (await earlierOrigin(archive, logOf(0))) ?? config.origin ?? `affidavit.invalid/${randomUUID()}/p0`;
  const logs: DeployedLog[] = [];
  for (let partition = 0; partition < count; partition += 1) {
    const log = logOf(partition);
    const origin = partition === 0 && count === 1 ? base : `${base.replace(/\/p0$/, '')}/${log}`;
    logs.push({ log, origin });
    if ((await earlierOrigin(archive, log)) !== undefined) continue;
    const signer = await openFileSigner(paths.signingKey, origin);
    await createLog({ archive, signer, clock, lockFor: lockPolicy(config), log }, genesisKey(log));
  }
  const created_at = toInstant(clock());
  const origins = logs.map(({ origin }) => origin);
  const file: Static<typeof DeploymentFile> =
    count === 1 ? { v: 1, origin: origins[0] ?? base, created_at } : { v: 2, origins, created_at };
  await writeSecretFile(paths.deployment, `${JSON.stringify(file, null, 2)}\n`);
  return { logs, created_at };
}

/** A start that died after a genesis was written goes on with the origin that stands there. */
async function earlierOrigin(archive: Archive, log: string): Promise<string | undefined> {
  const bytes = await archive.get(genesisKey(log));
  if (bytes === undefined) return undefined;
  const genesis: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  return Value.Parse(Type.Object({ origin: Type.String() }), genesis).origin;
}

/** Until when objects are locked: the two retention clocks of the configuration. */
export function lockPolicy(config: Config) {
  return (kind: LockKind, _retentionClass: string, now: number): ArchiveLock => {
    const days = kind === 'content' ? config.store.content_retention_days : config.store.retention_days;
    return { mode: config.store.lock_mode, retain_until: toInstant(now + days * DAY_MS) };
  };
}
