import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEnvironment, makeTempDir } from '../support/server.ts';

const MAIN = join(import.meta.dirname, '../torture/main.ts');
/** Servers are started, struck and started again: seconds on a quiet machine, more where others work too. */
const TIMEOUT_MS = 180_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function torture(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts };
}

/** A run that found something leaves its folder behind. */
async function removeKept({ stderr }: Ended): Promise<void> {
  const kept = /the data folder is kept: (\S+)/.exec(stderr)?.[1];
  if (kept !== undefined) await rm(kept, { recursive: true, force: true });
}

describe('npm run torture', () => {
  let temp: Awaited<ReturnType<typeof makeTempDir>>;
  beforeAll(async () => {
    temp = await makeTempDir();
  });
  afterAll(() => temp.remove());

  it(
    'strikes a server under load and finds everything acknowledged sealed once',
    { timeout: TIMEOUT_MS },
    async () => {
      const json = join(temp.path, 'torture.json');
      const kinds = 'kill_loaded,clock_step';
      const ended = await torture('--rounds', '2', '--seed', '7', '--only', kinds, '--json', json);
      expect(ended.stderr).not.toContain('kept');
      expect(ended.code).toBe(0);
      const last = ended.stdout.trimEnd().split('\n').at(-1)!;
      const line = /^acked=([0-9]+) sealed=([0-9]+) lost=0 twice=0 forks=0 false_alarms=0$/.exec(last);
      expect(line, last).not.toBeNull();
      const [acked, sealed] = [Number(line![1]), Number(line![2])];
      expect(acked).toBeGreaterThan(0);
      expect(sealed).toBeGreaterThanOrEqual(acked);
      expect(ended.stdout).toMatch(/^kill_loaded +1 +0 +0 /m);
      expect(ended.stdout).toMatch(/^clock_step +1 +0 /m);
      expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({
        seed: 7,
        rounds: 2,
        acked,
        sealed,
        kinds: { kill_loaded: { rounds: 1 }, clock_step: { rounds: 1 } },
        findings: [],
      });
    },
  );

  it(
    'ends with exit code 1 if somebody changes a sealed frame between two rounds',
    { timeout: TIMEOUT_MS },
    async () => {
      const ended = await torture(
        '--rounds',
        '2',
        '--seed',
        '3',
        '--only',
        'kill_idle',
        '--sabotage',
        'flip',
      );
      await removeKept(ended);
      expect(ended.stderr).toMatch(/payload_(damaged|mismatch)/);
      expect(ended.stdout.trimEnd()).toMatch(/ lost=0 twice=0 forks=0 false_alarms=1$/);
      expect(ended.code).toBe(1);
    },
  );

  it('refuses arguments that it does not know, and names those it does', async () => {
    const wrong = await torture('--only', 'flood');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('--only does not know flood');
    const helped = await torture('--help');
    expect(helped.code).toBe(0);
    expect(helped.stdout).toContain('--rounds N');
  });
});
