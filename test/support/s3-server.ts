/** Real S3 servers that enforce object lock, for tests: found or fetched once, started on a folder that goes with them. */
import { S3Client, CreateBucketCommand } from '@aws-sdk/client-s3';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export type S3Engine = 'minio' | 'versitygw';

interface GoProgram {
  /** Go package and version. */
  readonly source: string;
  readonly version: string;
  /** Path of a binary that is there already. */
  readonly variable: string;
}

interface EngineEntry extends GoProgram {
  readonly args: (paths: { data: string; versions: string; port: string }) => readonly string[];
  readonly env: (keys: S3Keys) => Readonly<Record<string, string>>;
}

interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** MinIO keeps its locks and stands for AWS in tests; versitygw lets a COMPLIANCE lock be shortened. */
const ENGINES: Readonly<Record<S3Engine, EngineEntry>> = {
  minio: {
    source: 'github.com/minio/minio',
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    variable: 'AFFIDAVIT_TEST_MINIO',
    args: ({ data, port }) => ['server', '--quiet', '--address', `127.0.0.1:${port}`, data],
    env: (keys) => ({
      MINIO_ROOT_USER: keys.accessKeyId,
      MINIO_ROOT_PASSWORD: keys.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    }),
  },
  versitygw: {
    source: 'github.com/versity/versitygw/cmd/versitygw',
    version: 'v1.7.0',
    variable: 'AFFIDAVIT_TEST_VERSITYGW',
    args: ({ data, versions, port }) => [
      '--port',
      `127.0.0.1:${port}`,
      'posix',
      '--versioning-dir',
      versions,
      data,
    ],
    env: (keys) => ({ ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey }),
  },
};

/** Speaks KMS and stands for AWS KMS in tests; test/support/kms-server.ts starts it. */
const LOCAL_KMS: GoProgram = {
  source: 'github.com/nsmithuk/local-kms',
  version: 'v0.0.0-20260228092603-2a5e92d09ab6',
  variable: 'AFFIDAVIT_TEST_LOCAL_KMS',
};

const KEYS: S3Keys = { accessKeyId: 'affidavit-test', secretAccessKey: 'affidavit-test-secret' };
export const REGION = 'us-east-1';
const START_ATTEMPTS = 300;
const FETCH_LIMIT_MS = 20 * 60 * 1000;

export interface S3Server {
  readonly endpoint: string;
  readonly port: number;
  readonly credentials: S3Keys;
  /** A new bucket with object lock, and so with versions. */
  makeBucket(name: string): Promise<void>;
  /** A new bucket as it comes, without lock and versions. */
  makePlainBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

export type FoundEngine =
  | { readonly path: string; readonly reason?: undefined }
  | { readonly path?: undefined; readonly reason: string };

/**
 * Path of the server's binary: named by its variable, in the cache, or built into it now, which takes minutes.
 * Otherwise the reason, printed once; with CI=true a missing engine is a failure.
 */
export async function findEngine(engine: S3Engine | 'local-kms'): Promise<FoundEngine> {
  const found = await locate(engine, engine === 'local-kms' ? LOCAL_KMS : ENGINES[engine]);
  if (found.reason === undefined) return found;
  if (process.env['CI'] === 'true') throw new Error(found.reason);
  process.stderr.write(`skipped: ${found.reason}\n`);
  return found;
}

async function locate(engine: string, { source, version, variable }: GoProgram): Promise<FoundEngine> {
  const given = process.env[variable];
  if (given !== undefined) {
    return existsSync(given) ? { path: given } : { reason: `${variable} names no file: ${given}` };
  }
  const cache = process.env['AFFIDAVIT_TEST_CACHE'] ?? join(homedir(), '.cache', 'affidavit-engines');
  const path = join(cache, `${engine}-${version}`);
  if (existsSync(path)) return { path };
  if (spawnSync('go', ['version']).status !== 0) {
    return { reason: `${engine} is not there: set ${variable} to its binary, or install Go to build it` };
  }
  await mkdir(cache, { recursive: true });
  return oneAtATime(`${path}.lock`, async () => {
    if (existsSync(path)) return { path };
    const reason = await build(`${source}@${version}`, engine, path);
    return reason === undefined ? { path } : { reason };
  });
}

/** Builds beside the cache's names and moves the binary into place as a whole. Resolves why it failed, if it did. */
async function build(source: string, name: string, path: string): Promise<string | undefined> {
  process.stderr.write(`building ${source}, once\n`);
  const folder = await mkdtemp(`${path}.build-`);
  try {
    const run = spawn('go', ['install', source], {
      env: { ...process.env, GOBIN: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: FETCH_LIMIT_MS,
    });
    let messages = '';
    run.stderr.on('data', (chunk: Buffer) => (messages = (messages + chunk.toString()).slice(-1000)));
    const [code] = (await once(run, 'close')) as [number | null];
    if (code !== 0) return `${name} could not be built: ${messages.trim()}`;
    await rename(join(folder, name), path);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Test files run side by side; one of them fetches, the others wait. A lock of a process that died is taken over. */
async function oneAtATime<T>(lockPath: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      const lock = await open(lockPath, 'wx');
      await lock.writeFile(String(process.pid));
      await lock.close();
      break;
    } catch {
      const holder = Number(await readFile(lockPath, 'utf8').catch(() => ''));
      if (holder > 0 && !isRunning(holder)) await rm(lockPath, { force: true });
      await sleep(500);
    }
  }
  try {
    return await work();
  } finally {
    await rm(lockPath, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts a server on a fresh folder and a free port of the loopback interface; resolves when it answers. */
export async function startS3Server(engine: S3Engine, path: string): Promise<S3Server> {
  const root = await mkdtemp(join(tmpdir(), `affidavit-${engine}-`));
  const paths = { data: join(root, 'data'), versions: join(root, 'versions') };
  await Promise.all(Object.values(paths).map((folder) => mkdir(folder)));
  const port = await freePort();
  const { args, env } = ENGINES[engine];
  const server = spawn(path, args({ ...paths, port: String(port) }), {
    env: { ...process.env, ...env(KEYS) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A suite that ends without having stopped it must not leave it running.
  const kill = (): void => void server.kill('SIGKILL');
  process.once('exit', kill);
  let messages = '';
  const keep = (chunk: Buffer) => (messages = (messages + chunk.toString()).slice(-2000));
  server.stdout.on('data', keep);
  server.stderr.on('data', keep);
  const endpoint = `http://127.0.0.1:${String(port)}`;
  const stop = async () => {
    process.off('exit', kill);
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
    await rm(root, { recursive: true, force: true });
  };
  try {
    await untilAnswering(endpoint, server);
  } catch (cause) {
    await stop();
    throw new Error(`${engine} did not start: ${messages}`, { cause });
  }
  const make = (isLocked: boolean) => (name: string) => createBucket(endpoint, name, isLocked);
  return {
    endpoint,
    port,
    credentials: KEYS,
    makeBucket: make(true),
    makePlainBucket: make(false),
    stop,
  };
}

async function createBucket(endpoint: string, name: string, isLocked: boolean): Promise<void> {
  const client = new S3Client({ endpoint, region: REGION, credentials: KEYS, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: isLocked }));
  client.destroy();
}

/** Any answer will do; a server that is still reading its folders says 503. */
async function untilAnswering(endpoint: string, server: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    if (server.exitCode !== null) throw new Error(`it ended with ${String(server.exitCode)}`);
    const answer = await fetch(endpoint).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer !== undefined && answer.status < 500) return;
    await sleep(100);
  }
  throw new Error('it does not answer');
}
