/** A deployment of separate processes on real engines: a Kafka broker, MinIO, and chDB behind HTTP as ClickHouse. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startClickHouseFront } from './clickhouse-front.ts';
import { startKafkaBroker, type KafkaBroker } from './kafka-broker.ts';
import { findEngine, startS3Server, type S3Server } from './s3-server.ts';
import { ADMIN_TOKEN, bareEnvironment, COLLECTOR_TOKEN, MAIN, runAffidavit } from './server.ts';

export type RoleName = 'ingest' | 'sequence' | 'report' | 'api';

export interface RoleProcess {
  readonly role: RoleName;
  readonly name: string;
  /** Of an ingest process. */
  readonly ingestUrl: string | undefined;
  readonly apiUrl: string;
  readonly process: ChildProcess;
  readonly stderr: () => string;
  /** Resolves with its exit code when it is gone. */
  readonly exited: Promise<number | null>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface ScaleOut {
  /** Folder with the keys and the key store that all processes share. */
  readonly shared: string;
  readonly broker: KafkaBroker;
  readonly s3: S3Server;
  readonly clickhouseUrl: string;
  /** Holds all that ClickHouse has. */
  readonly clickhouseDir: string;
  /** As if its machine lost power. */
  stopClickHouse(): Promise<void>;
  startClickHouse(): Promise<void>;
  readonly partitions: number;
  readonly bucket: string;
  /** Key of each log. */
  readonly vkeys: ReadonlyMap<string, string>;
  /** Environment of every process of the deployment. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts a process with a data folder of its own, the same for the same name; resolves when it serves. */
  start(role: RoleName, name: string, env?: Readonly<Record<string, string>>): Promise<RoleProcess>;
  /** Ends all that was started. */
  dispose(): Promise<void>;
}

export interface ScaleOutOptions {
  readonly partitions: number;
  readonly bucket?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** After so long without a sign of life the partitions of a sequencer go to others. @default the program's */
  readonly sessionTimeoutMs?: number;
  /** Folder for the broker's data. */
  readonly brokerParent?: string;
  /** What stands before the S3 server, by its port; gives the endpoint that processes use. */
  readonly before?: (s3Port: number) => Promise<string>;
  /** The same for the broker; gives the port that processes use. */
  readonly beforeBroker?: (port: number) => Promise<number>;
  /** The same for ClickHouse. */
  readonly beforeClickHouse?: (port: number) => Promise<number>;
}

const WITH_LIMITS = join(import.meta.dirname, 'serve-with-limits.mjs');
const START_DEADLINE_MS = 60_000;
const READY_DEADLINE_MS = 30_000;
const STDERR_KEPT = 20_000;
const SERVES = 'Stop with Ctrl-C';

/** Starts the engines and initialises the deployment; a string is the reason why one of them cannot be had. */
export async function openScaleOut(
  options: ScaleOutOptions,
): Promise<ScaleOut | { readonly skipped: string }> {
  const minio = await findEngine('minio');
  if (minio.path === undefined) return { skipped: minio.reason };
  const broker = await startKafkaBroker({ parent: options.brokerParent, before: options.beforeBroker });
  if ('skipped' in broker) return broker;
  const root = await mkdtemp(join(tmpdir(), 'affidavit-scale-out-'));
  const s3 = await startS3Server('minio', minio.path);
  const clickhouseDir = join(root, 'clickhouse');
  await mkdir(clickhouseDir);
  let clickhouse = await startClickHouseFront(clickhouseDir);
  const bucket = options.bucket ?? 'evidence';
  await s3.makeBucket(bucket);
  const endpoint = (await options.before?.(s3.port)) ?? s3.endpoint;
  const clickhousePort = (await options.beforeClickHouse?.(clickhouse.port)) ?? clickhouse.port;
  const env = environmentOf(options, { root, broker, s3, endpoint, clickhousePort, bucket });
  const started = new Set<RoleProcess>();
  const initialised = await runAffidavit(['init', '--json'], env);
  if (initialised.code !== 0) throw new Error(`init failed: ${initialised.stderr}`);
  const { logs } = JSON.parse(initialised.stdout) as { logs: { log: string; vkey: string }[] };
  return {
    ...{ broker, s3, clickhouseDir, bucket, env },
    shared: root,
    clickhouseUrl: clickhouse.url,
    vkeys: new Map(logs.map(({ log, vkey }) => [log, vkey])),
    partitions: options.partitions,
    async start(role, name, extra = {}) {
      const one = await startRole(
        { role, name, sessionTimeoutMs: options.sessionTimeoutMs },
        { ...env, AFFIDAVIT_DATA: join(root, name), ...extra },
      );
      started.add(one);
      void one.exited.then(() => started.delete(one));
      return one;
    },
    stopClickHouse: () => clickhouse.stop('SIGKILL'),
    async startClickHouse() {
      clickhouse = await startClickHouseFront(clickhouseDir, clickhouse.port);
    },
    async dispose() {
      await Promise.all([...started].map((one) => one.stop('SIGKILL')));
      await Promise.all([broker.dispose(), s3.stop(), clickhouse.stop('SIGKILL')]);
      await rm(root, { recursive: true, force: true });
    },
  };
}

interface Engines {
  readonly root: string;
  readonly broker: KafkaBroker;
  readonly s3: S3Server;
  readonly endpoint: string;
  readonly clickhousePort: number;
  readonly bucket: string;
}

function environmentOf(
  { partitions, env = {} }: ScaleOutOptions,
  { root, broker, s3, endpoint, clickhousePort, bucket }: Engines,
): Readonly<Record<string, string>> {
  return {
    AFFIDAVIT_DATA: join(root, 'init'),
    AFFIDAVIT_KEYS: join(root, 'keys'),
    AFFIDAVIT_KEY_STORE_DIR: join(root, 'key-store'),
    AFFIDAVIT_LOG_LEVEL: 'warn',
    AFFIDAVIT_INGEST_PORT: '0',
    AFFIDAVIT_API_PORT: '0',
    AFFIDAVIT_INGEST_SEAL_AFTER_MS: '0',
    AFFIDAVIT_ORIGIN: 'scale.test.example/log',
    AFFIDAVIT_ADMIN_TOKEN: ADMIN_TOKEN,
    AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN,
    AFFIDAVIT_KAFKA_BROKERS: broker.brokers.join(','),
    AFFIDAVIT_KAFKA_PARTITIONS: String(partitions),
    AFFIDAVIT_KAFKA_REPLICATION_FACTOR: '1',
    AFFIDAVIT_KAFKA_MIN_INSYNC_REPLICAS: '1',
    AFFIDAVIT_CLICKHOUSE_URL: `http://127.0.0.1:${String(clickhousePort)}`,
    AFFIDAVIT_S3_ENDPOINT: endpoint,
    AFFIDAVIT_S3_BUCKET: bucket,
    AFFIDAVIT_S3_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AFFIDAVIT_S3_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    ...env,
  };
}

interface RoleStart {
  readonly role: RoleName;
  readonly name: string;
  readonly sessionTimeoutMs: number | undefined;
}

async function startRole(
  { role, name, sessionTimeoutMs }: RoleStart,
  env: NodeJS.ProcessEnv,
): Promise<RoleProcess> {
  const limits = JSON.stringify({ kafkaSessionTimeoutMs: sessionTimeoutMs });
  const args = sessionTimeoutMs === undefined ? [MAIN, 'serve', '--role', role] : [WITH_LIMITS, role, limits];
  const child = spawn(process.execPath, args, {
    env: bareEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (texts.stderr = (texts.stderr + text).slice(-STDERR_KEPT)));
  const exited = once(child, 'close').then(([code]) => {
    process.off('exit', kill);
    return code as number | null;
  });
  const deadlineMs = performance.now() + START_DEADLINE_MS;
  while (!texts.stdout.includes(SERVES)) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadlineMs) {
      child.kill('SIGKILL');
      throw new Error(`${name} did not start: ${texts.stdout}\n${texts.stderr}`);
    }
    await delay(20);
  }
  const address = (what: string) => new RegExp(`${what}\\s+(http://\\S+)`).exec(texts.stdout)?.[1];
  return {
    ...{ role, name, process: child, exited },
    ingestUrl: address('receivers'),
    apiUrl: address('API') ?? '',
    stderr: () => texts.stderr,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

/** Resolves with the leaves under checkpoints when nothing is left to seal, by what sequencers and archive say. */
export async function untilSealed(
  sequencers: readonly RoleProcess[],
  deadlineMs: number,
  onLag?: (envelopes: number) => void,
): Promise<void> {
  const endsAtMs = performance.now() + deadlineMs;
  let states: readonly (RoleState | undefined)[] = [];
  while (performance.now() < endsAtMs) {
    states = await Promise.all(sequencers.map(readReadiness));
    const lag = Math.max(...states.map((state) => state?.lag?.envelopes ?? Number.POSITIVE_INFINITY));
    onLag?.(lag);
    if (lag === 0) return;
    await delay(200);
  }
  const last = sequencers.map(
    ({ name, stderr }, at) =>
      `${name}: ${JSON.stringify(states[at] ?? 'no answer')}\n${stderr().slice(-2_000)}`,
  );
  throw new Error(`not sealed in time:\n${last.join('\n')}`);
}

interface RoleState {
  readonly reasons?: readonly string[];
  readonly lag?: { readonly envelopes: number };
  readonly logs?: readonly string[];
  readonly partitions?: readonly { readonly log: string; readonly state: string; readonly reason?: string }[];
}

/** Undefined where the process does not answer, or not in time. */
export async function readReadiness({ apiUrl }: Pick<RoleProcess, 'apiUrl'>): Promise<RoleState | undefined> {
  const signal = AbortSignal.timeout(READY_DEADLINE_MS);
  const answer = await fetch(`${apiUrl}/readyz`, { signal }).catch(() => undefined);
  return answer === undefined ? undefined : ((await answer.json()) as RoleState);
}
