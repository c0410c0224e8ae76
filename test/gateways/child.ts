import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

export interface Child {
  readonly process: ChildProcess;
  /** The end of what it wrote. */
  readonly output: () => string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const START_LIMIT_MS = 120_000;

/** Starts a program and resolves when `answers` does so; it ends with this process. */
export async function startChild(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  answers: () => Promise<boolean>,
): Promise<Child> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'exit');
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    process.off('exit', kill);
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  const limitMs = performance.now() + START_LIMIT_MS;
  while (!(await answers().catch(() => false))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > limitMs) {
      await stop('SIGKILL');
      throw new Error(`${command} did not start: ${output}`);
    }
    await delay(200);
  }
  return { process: child, output: () => output, stop };
}
