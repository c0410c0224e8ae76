import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const MAIN = resolve(import.meta.dirname, '../../dist/main.js');
export const ADMIN_TOKEN = 'test-admin-token-0123456789';
export const COLLECTOR_TOKEN = 'test-collector-token-0123456789';

const START_DEADLINE_MS = 30_000;
const SEAL_DEADLINE_MS = 60_000;

export interface TestServer {
  readonly ingestUrl: string;
  readonly apiUrl: string;
  readonly data: string;
  /** All that was written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly process: ChildProcess;
  /** Resolves when nothing is left to seal. */
  readonly sealed: () => Promise<number>;
  /** SIGTERM, then the exit code. */
  readonly stop: () => Promise<number | null>;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The variables of a shell without any of Affidavit's. */
export function bareEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('AFFIDAVIT_'));
  return { ...Object.fromEntries(inherited), ...extra };
}

export async function makeTempDir(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'affidavit-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Runs a subcommand of the built program to its end. */
export async function runAffidavit(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: bareEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: output.stdout(), stderr: output.stderr() };
}

/**
 * Starts the built server as `npm start` does, on free ports.
 *
 * @param tracer program and arguments that run it, such as `strace`; the process stays the server's
 */
export async function startServer(
  data: string,
  env: NodeJS.ProcessEnv = {},
  tracer: readonly string[] = [],
): Promise<TestServer> {
  if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: run npm run build');
  const command = [...tracer, process.execPath, MAIN, 'serve', '--init'];
  const child = spawn(command[0]!, command.slice(1), {
    env: bareEnvironment({
      AFFIDAVIT_DATA: data,
      AFFIDAVIT_INGEST_PORT: '0',
      AFFIDAVIT_API_PORT: '0',
      AFFIDAVIT_INGEST_SEAL_AFTER_MS: '0',
      AFFIDAVIT_ADMIN_TOKEN: ADMIN_TOKEN,
      AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN,
      ...env,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A suite that fails before it can stop its server must not leave it running.
  process.once('exit', () => child.kill('SIGKILL'));
  const output = collect(child);
  const exited = once(child, 'close') as Promise<[number | null]>;
  const deadline = performance.now() + START_DEADLINE_MS;
  while (!output.stdout().includes('Stop with Ctrl-C')) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`the server did not start:\n${output.stdout()}\n${output.stderr()}`);
    }
    await delay(20);
  }
  const address = (name: string) => new RegExp(`${name}\\s+(http://\\S+)`).exec(output.stdout())![1]!;
  const apiUrl = address('API');
  return {
    ingestUrl: address('receivers'),
    apiUrl,
    data,
    ...output,
    process: child,
    sealed: () => waitUntilSealed(apiUrl),
    async stop() {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
  };
}

function collect(child: ChildProcess): { stdout: () => string; stderr: () => string } {
  const texts = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  return { stdout: () => texts.stdout, stderr: () => texts.stderr };
}

async function waitUntilSealed(apiUrl: string): Promise<number> {
  const deadline = performance.now() + SEAL_DEADLINE_MS;
  while (performance.now() < deadline) {
    const state = (await (await fetch(`${apiUrl}/readyz`)).json()) as {
      lag: { envelopes: number };
      published_tree_size: number;
    };
    if (state.lag.envelopes === 0) return state.published_tree_size;
    await delay(25);
  }
  throw new Error('not sealed in time');
}

export interface Sent {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer> | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request with the collector's token. */
export function post(
  server: Pick<TestServer, 'ingestUrl'>,
  { path, contentType, body, headers }: Sent,
): Promise<Response> {
  return fetch(server.ingestUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${COLLECTOR_TOKEN}`, 'content-type': contentType, ...headers },
    body,
  });
}

/** One answer of the API with the admin's token, as JSON. */
export async function getJson<Answer>(server: Pick<TestServer, 'apiUrl'>, path: string): Promise<Answer> {
  const answer = await fetch(server.apiUrl + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

/** Every item of a paged list. */
export async function getAll<Item>(server: Pick<TestServer, 'apiUrl'>, path: string): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const mark: string = path.includes('?') ? '&' : '?';
    const page: { data: Item[]; next_cursor: string | null } = await getJson(
      server,
      cursor === '' ? path : `${path}${mark}cursor=${encodeURIComponent(cursor)}`,
    );
    items.push(...page.data);
    cursor = page.next_cursor;
  }
  return items;
}
