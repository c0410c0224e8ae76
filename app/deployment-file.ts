/**
 * `deployment.json` in the keys folder: which logs there are, and the pseudonym key that made their surrogates and
 * record ids. `initialise` writes it last, so that a folder without it holds no deployment.
 */
import { createHash } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { AppContext } from './context.ts';
import { dataPaths, logOf } from './paths.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import { HashHex, InstantUtc } from '../schemas/primitives.ts';
import { readSecretFile, writeSecretFile } from '../store/keys/secret-file.ts';

/** So that the digest of the key is not a digest that anything else computes from it. */
const KEY_DIGEST_DOMAIN = 'affidavit pseudonym key v1\0';

const Origins = Type.Array(Type.String(), { minItems: 1 });

const FileV3 = Type.Object({
  v: Type.Literal(3),
  /** By partition of the event log. */
  origins: Origins,
  created_at: InstantUtc,
  pseudonym_key_sha256: HashHex,
  /** Id of the event log that the logs consume. */
  event_log: Type.Optional(Type.String()),
  event_log_key_sha256: Type.Optional(HashHex),
  /** The key came later than the first entries of the event log. */
  had_unnumbered_entries: Type.Optional(Type.Literal(true)),
});
type FileV3 = Static<typeof FileV3>;

/** Versions 1 and 2 do not name the pseudonym key. */
const DeploymentFile = Type.Union([
  Type.Object({ v: Type.Literal(1), origin: Type.String(), created_at: InstantUtc }),
  Type.Object({ v: Type.Literal(2), origins: Origins, created_at: InstantUtc }),
  FileV3,
]);
type DeploymentFile = Static<typeof DeploymentFile>;

/** One log of a deployment: `log` is its short name in rows and keys, `origin` its name in checkpoints. */
export interface DeployedLog {
  readonly log: string;
  readonly origin: string;
}

export interface Deployment {
  /** By partition of the event log. */
  readonly logs: readonly DeployedLog[];
  readonly created_at: string;
  /** Undefined in a file of version 1 or 2. */
  readonly pseudonym_key_sha256?: string | undefined;
  readonly event_log?: string | undefined;
  /** Undefined in a deployment of an older version. */
  readonly event_log_key_sha256?: string | undefined;
  readonly had_unnumbered_entries?: boolean | undefined;
}

/** Members of the file that may be absent. */
type LaterMembers = Partial<Pick<FileV3, 'event_log' | 'event_log_key_sha256' | 'had_unnumbered_entries'>>;

type FileConfig = Pick<Config, 'data' | 'keys'>;

/**
 * The deployment that `initialise` wrote, or undefined before that. Throws START_REFUSED for a file that does not read as
 * written, and where the number of its logs is not the configured number of partitions.
 */
export async function readDeployment(config: Config): Promise<Deployment | undefined> {
  const file = await readFileOf(config);
  if (file === undefined) return undefined;
  const deployment = toDeployment(file);
  const wanted = partitionCountOf(config);
  if (deployment.logs.length === wanted) return deployment;
  const found = String(deployment.logs.length);
  throw new PipelineError(
    'START_REFUSED',
    `the deployment has ${found} logs and the configuration ${String(wanted)} partitions; their number is fixed`,
  );
}

export function partitionCountOf({ kafka }: Pick<Config, 'kafka'>): number {
  return kafka.brokers === undefined ? 1 : kafka.partitions;
}

/** Parts that stay as long as the deployment does, for a comparison; undefined without a deployment. */
export async function readDeploymentIdentity(config: FileConfig): Promise<string | undefined> {
  const file = await readFileOf(config);
  if (file === undefined) return undefined;
  return JSON.stringify([originsOf(file), file.created_at]);
}

/** Writes the file of a new deployment, with the key that its keys folder holds. */
export async function writeDeployment(
  config: FileConfig,
  { origins, created_at, ...later }: Pick<FileV3, 'origins' | 'created_at'> & LaterMembers,
): Promise<Deployment> {
  const pseudonym_key_sha256 = digestOfKey(await requireKey(config));
  return write(config, { v: 3, origins, created_at, pseudonym_key_sha256, ...later });
}

/** Changes members of the file in one step, and brings it to version 3. Throws START_REFUSED without a deployment. */
export async function amendDeployment(config: FileConfig, change: LaterMembers): Promise<Deployment> {
  const file = await readFileOf(config);
  if (file === undefined) throw noDeployment(config);
  return write(config, { ...(await toV3(config, file)), ...change });
}

/** Names other logs, by partition, in one step. Throws START_REFUSED without a deployment. */
export async function renameLogs(config: FileConfig, origins: readonly string[]): Promise<Deployment> {
  const file = await readFileOf(config);
  if (file === undefined) throw noDeployment(config);
  return write(config, { ...(await toV3(config, file)), origins: [...origins] });
}

/**
 * Brings a file of version 1 or 2 to version 3, which commits to the pseudonym key that is there now. Where the keys
 * folder cannot be written, as in a container that mounts it read-only, the file stays and the log says so.
 */
export async function commitToPseudonymKey({
  config,
  logger,
}: Pick<AppContext, 'config' | 'logger'>): Promise<void> {
  if ((await readFileOf(config))?.v === 3) return;
  try {
    await amendDeployment(config, {});
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    // Another process of the deployment may have written the same at the same time.
    if ((await readFileOf(config))?.v === 3) return;
    logger.warn(
      { path: dataPaths(config).deployment, code: (error as NodeJS.ErrnoException).code },
      'the deployment file cannot be written and does not name its pseudonym key yet; `affidavit init` completes it',
    );
  }
}

/**
 * The key of the surrogates for people and secrets. Throws START_REFUSED where it is missing, and where it is not the key
 * that the deployment began with: with another key each repeated delivery would get another record id.
 */
export async function readPseudonymKey(config: FileConfig): Promise<Uint8Array> {
  const key = await requireKey(config);
  const file = await readFileOf(config);
  if (file?.v !== 3 || file.pseudonym_key_sha256 === digestOfKey(key)) return key;
  throw new PipelineError(
    'START_REFUSED',
    `${dataPaths(config).pseudonymKey} is not the pseudonym key that this deployment began with; repeats would be sealed twice. Restore it from the backup`,
  );
}

/** The refusal of a process that finds no deployment and must not begin one. */
export function noDeployment(
  config: FileConfig,
  reason = 'a server begins no history unasked',
): PipelineError {
  return new PipelineError(
    'START_REFUSED',
    `${dataPaths(config).keys} holds no deployment, and ${reason}. Check that the folder is mounted; on a first start run \`affidavit init\``,
  );
}

async function requireKey(config: FileConfig): Promise<Uint8Array> {
  const path = dataPaths(config).pseudonymKey;
  const key = await readSecretFile(path);
  if (key !== undefined) return key;
  throw new PipelineError('START_REFUSED', `${path} is missing; restore it from the backup`);
}

function digestOfKey(key: Uint8Array): string {
  return createHash('sha256').update(KEY_DIGEST_DOMAIN).update(key).digest('hex');
}

async function readFileOf(config: FileConfig): Promise<DeploymentFile | undefined> {
  const path = dataPaths(config).deployment;
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return undefined;
  try {
    return Value.Parse(DeploymentFile, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    const detail = `${path} is damaged: it is not a deployment file; restore keys/ from the backup`;
    throw new PipelineError('START_REFUSED', detail, { cause });
  }
}

async function toV3(config: FileConfig, file: DeploymentFile): Promise<FileV3> {
  if (file.v === 3) return file;
  const pseudonym_key_sha256 = digestOfKey(await requireKey(config));
  return { v: 3, origins: originsOf(file), created_at: file.created_at, pseudonym_key_sha256 };
}

async function write(config: FileConfig, file: FileV3): Promise<Deployment> {
  await writeSecretFile(dataPaths(config).deployment, `${JSON.stringify(file, null, 2)}\n`);
  return toDeployment(file);
}

function originsOf(file: DeploymentFile): string[] {
  return file.v === 1 ? [file.origin] : file.origins;
}

function toDeployment(file: DeploymentFile): Deployment {
  const logs = originsOf(file).map((origin, partition) => ({ log: logOf(partition), origin }));
  const { created_at } = file;
  if (file.v !== 3) return { logs, created_at };
  const { pseudonym_key_sha256, event_log, event_log_key_sha256, had_unnumbered_entries } = file;
  return { logs, created_at, pseudonym_key_sha256, event_log, event_log_key_sha256, had_unnumbered_entries };
}
