import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ADMIN_TOKEN, bareEnvironment, COLLECTOR_TOKEN, MAIN } from '../support/server.ts';
import type { LoadJob, LoadResult } from './generator.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SAMPLE_MS = 250;
const PEAK_SAMPLE_MS = 10;

export interface Child {
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly exited: Promise<unknown>;
  /** Resolves when standard output holds the text; rejects if the process ends before. */
  said(text: string): Promise<void>;
}

/** Runs node with these arguments; standard error passes through, so that a crash shows. */
export function startNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const child = spawn(process.execPath, [...args], {
    cwd: ROOT,
    env: bareEnvironment(env),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const exited = once(child, 'close');
  const said = (text: string): Promise<void> =>
    new Promise((fulfil, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) fulfil();
      };
      child.stdout.on('data', look);
      child.on('close', () => reject(new Error(`${args.join(' ')} ended before it said "${text}"`)));
      look();
    });
  return { process: child, stdout: () => stdout, exited, said };
}

/** Runs node to its end and resolves with what it wrote; rejects unless the exit code is 0. */
export async function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const child = startNode(args, env);
  await child.exited;
  if (child.process.exitCode === 0) return child.stdout();
  throw new Error(`node ${args.join(' ')} ended with ${String(child.process.exitCode)}`);
}

export interface Served {
  readonly ingestPort: number;
  readonly apiUrl: string;
  readonly startMs: number;
  readonly pid: number;
  treeSize(): Promise<number>;
  /** Resolves when the log holds so many records and the last of them is published. */
  sealed(size: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the built server on free ports; startMs is from spawning it to its saying that it serves. */
export async function startServe(
  data: string,
  { profile, preload }: { readonly profile?: string | undefined; readonly preload?: string } = {},
): Promise<Served> {
  const from = performance.now();
  const flags = [...profileFlags(profile), ...(preload === undefined ? [] : ['--import', preload])];
  const child = startNode([...flags, MAIN, 'serve', '--init'], {
    AFFIDAVIT_DATA: data,
    AFFIDAVIT_LOG_LEVEL: 'error',
    AFFIDAVIT_INGEST_PORT: '0',
    AFFIDAVIT_API_PORT: '0',
    AFFIDAVIT_INGEST_SEAL_AFTER_MS: '0',
    AFFIDAVIT_ADMIN_TOKEN: ADMIN_TOKEN,
    AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN,
  });
  await child.said('Stop with Ctrl-C');
  const startMs = performance.now() - from;
  const address = (name: string) => new RegExp(`${name}\\s+(http://\\S+)`).exec(child.stdout())![1]!;
  const apiUrl = address('API');
  const treeSize = () => readTreeSize(apiUrl);
  return {
    ingestPort: Number(new URL(address('receivers')).port),
    apiUrl,
    startMs,
    pid: child.process.pid!,
    treeSize,
    async sealed(size) {
      while ((await treeSize()) < size) await delay(20);
    },
    async stop() {
      child.process.kill('SIGTERM');
      await child.exited;
    },
  };
}

async function readTreeSize(apiUrl: string): Promise<number> {
  const state = await (await fetch(`${apiUrl}/readyz`)).json();
  return (state as { published_tree_size: number }).published_tree_size;
}

export async function startBareServer(): Promise<{ port: number; stop: () => Promise<void> }> {
  const child = startNode(['--import', 'tsx', join(import.meta.dirname, 'bare-server.ts')]);
  await child.said('\n');
  return {
    port: Number(new URL(child.stdout().trim()).port),
    async stop() {
      child.process.kill('SIGTERM');
      await child.exited;
    },
  };
}

export async function runLoad(job: Omit<LoadJob, 'token'>): Promise<LoadResult> {
  const text = JSON.stringify({ ...job, token: COLLECTOR_TOKEN } satisfies LoadJob);
  const script = join(import.meta.dirname, 'generator.ts');
  return JSON.parse(await runNode(['--import', 'tsx', script, text])) as LoadResult;
}

export interface Ended {
  readonly seconds: number;
  readonly peakMb: number;
}

/** Runs node to its end and reads the largest memory the system saw it use. */
export async function runMeasured(args: readonly string[], profile?: string): Promise<Ended> {
  const from = performance.now();
  const child = startNode([...profileFlags(profile), ...args]);
  const done = child.exited.then(() => (performance.now() - from) / 1000);
  let peakMb = 0;
  while (child.process.exitCode === null) {
    peakMb = (await memoryMb(child.process.pid!, 'VmHWM')) ?? peakMb;
    await Promise.race([done, delay(PEAK_SAMPLE_MS)]);
  }
  const seconds = await done;
  if (child.process.exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${child.process.exitCode}`);
  return { seconds, peakMb };
}

/** MB. Memory beyond its own is pages of mapped files, which the system takes back when it needs them. */
export interface MemorySample {
  readonly resident: number;
  readonly own: number;
}

/** Samples the memory of a process until stopped. */
export function sampleMemory(pid: number): { stop: () => Promise<MemorySample[]> } {
  const ended = new AbortController();
  const sampling = (async () => {
    const samples: MemorySample[] = [];
    while (!ended.signal.aborted) {
      const [resident, own] = [await memoryMb(pid, 'VmRSS'), await memoryMb(pid, 'RssAnon')];
      if (resident !== undefined && own !== undefined) samples.push({ resident, own });
      await delay(SAMPLE_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
    return samples;
  })();
  return {
    stop: () => {
      ended.abort();
      return sampling;
    },
  };
}

/** Undefined once the process is gone. */
async function memoryMb(pid: number, member: 'VmRSS' | 'VmHWM' | 'RssAnon'): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kb = new RegExp(`^${member}:\\s+([0-9]+) kB`, 'm').exec(status)?.[1];
  return kb === undefined ? undefined : Number(kb) / 1024;
}

function profileFlags(folder: string | undefined): string[] {
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(folder)}`];
}
