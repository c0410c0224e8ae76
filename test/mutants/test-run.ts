/** Runs test files of a copy of the tree and reads which test failed first. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bareEnvironment } from '../support/server.ts';

export type TestRun =
  | { readonly kind: 'passed'; readonly count: number }
  | { readonly kind: 'failed'; readonly test: string }
  /** No test failed, and yet the run is worth nothing. */
  | { readonly kind: 'broken'; readonly reason: string };

/** Tests that do not end on their own are stopped. */
const RUN_DEADLINE_MS = 5 * 60_000;
const REPORT = 'mutant-report.json';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export async function runTests(dir: string, files: readonly string[]): Promise<TestRun> {
  await rm(join(dir, REPORT), { force: true });
  const vitest = join('node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', ...files, '--bail=1', '--reporter=json', `--outputFile=${REPORT}`];
  const child = spawn(process.execPath, args, { cwd: dir, env: bareEnvironment(), stdio: 'ignore' });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const timer = setTimeout(kill, RUN_DEADLINE_MS);
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  process.off('exit', kill);
  if (signal !== null) return { kind: 'broken', reason: `the tests did not end in ${RUN_DEADLINE_MS} ms` };
  const text = await readFile(join(dir, REPORT), 'utf8').catch(() => undefined);
  if (text === undefined) return { kind: 'broken', reason: 'the tests did not start' };
  return judge(JSON.parse(text) as Report, files);
}

function judge({ testResults }: Report, files: readonly string[]): TestRun {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === 'failed');
  if (failed !== undefined) return { kind: 'failed', test: failed.fullName };
  const file = testResults.find(({ status }) => status === 'failed');
  // A file that does not load says nothing about the behaviour that its tests describe.
  if (file !== undefined) return { kind: 'broken', reason: `${file.name}: ${file.message ?? 'it failed'}` };
  const ran = files.filter((name) => testResults.some((result) => result.name.endsWith(`/${name}`)));
  if (ran.length < files.length) return { kind: 'broken', reason: 'not every test file ran' };
  const count = tests.filter(({ status }) => status === 'passed').length;
  return count > 0 ? { kind: 'passed', count } : { kind: 'broken', reason: 'no test ran' };
}
