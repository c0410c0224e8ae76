/** The built program as a process of its own: the server that is struck, and the verifier that judges its archive. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { VerificationReport } from '../../schemas/verification.ts';
import { ADMIN_TOKEN, bareEnvironment, COLLECTOR_TOKEN } from '../support/server.ts';

const CLOCK_PRELOAD = pathToFileURL(join(import.meta.dirname, 'clock-preload.mjs')).href;
const START_DEADLINE_MS = 60_000;
const STDERR_KEPT = 2_000;
const SERVES = 'Stop with Ctrl-C';

export interface Addresses {
  readonly ingestPort: number;
  readonly apiUrl: string;
}

export interface ServerProcess {
  /** Where it serves, or undefined if it ended first or passed its deadline. */
  readonly serving: Promise<Addresses | undefined>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  isAlive(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** The last lines that it wrote to standard error. */
  stderr(): string;
}

export interface ServerSetup {
  /** The program's entry, `main.js` of a build. */
  readonly entry: string;
  readonly data: string;
  /** Holds the milliseconds that the server's clock is ahead. */
  readonly clockFile: string;
  /** Standard error of all starts is added to it. */
  readonly logFile: string;
}

/** Starts it on free ports; returns at once. */
export function startServerProcess({ entry, data, clockFile, logFile }: ServerSetup): ServerProcess {
  const child = spawn(process.execPath, ['--import', CLOCK_PRELOAD, entry, 'serve', '--init'], {
    env: bareEnvironment({
      TORTURE_CLOCK_FILE: clockFile,
      AFFIDAVIT_DATA: data,
      AFFIDAVIT_LOG_LEVEL: 'warn',
      AFFIDAVIT_INGEST_PORT: '0',
      AFFIDAVIT_API_PORT: '0',
      AFFIDAVIT_INGEST_SEAL_AFTER_MS: '0',
      AFFIDAVIT_ADMIN_TOKEN: ADMIN_TOKEN,
      AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
    appendFileSync(logFile, text);
  });
  const exited = once(child, 'close').then(([code, signal]) => {
    process.off('exit', kill);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  return {
    serving: waitUntilServing(child),
    exited,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    signal: (signal) => void child.kill(signal),
    stderr: () => stderr,
  };
}

function waitUntilServing(child: ChildProcess): Promise<Addresses | undefined> {
  return new Promise((resolve) => {
    let stdout = '';
    const timer = setTimeout(() => resolve(undefined), START_DEADLINE_MS);
    const settle = (addresses: Addresses | undefined): void => {
      clearTimeout(timer);
      resolve(addresses);
    };
    child.once('close', () => settle(undefined));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (!stdout.includes(SERVES)) return;
      const address = (name: string) => new RegExp(`${name}\\s+(http://\\S+)`).exec(stdout)![1]!;
      settle({ ingestPort: Number(new URL(address('receivers')).port), apiUrl: address('API') });
    });
  });
}

/** What `affidavit verify` says of an archive folder, pinned to the key if one is given. Throws if it says nothing. */
export async function verifyArchive(
  entry: string,
  archive: string,
  vkey: string | undefined,
): Promise<{ readonly code: number | null; readonly report: VerificationReport }> {
  const pin = vkey === undefined ? [] : ['--key', vkey];
  const child = spawn(process.execPath, [entry, 'verify', archive, ...pin, '--json'], {
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (texts.stdout === '') throw new Error(`affidavit verify ended with ${String(code)}: ${texts.stderr}`);
  return { code, report: JSON.parse(texts.stdout) as VerificationReport };
}
