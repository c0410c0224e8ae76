/** Many simulated runs, shared by several processes. Progress goes to standard error, the counts to standard output. */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { readArguments, USAGE, type SimulationOptions } from './arguments.ts';
import { addCounts, renderCounts, sumOf } from './coverage.ts';
import type { Failure } from './property.ts';
import type { Fault } from './judge.ts';
import { work, type WorkerMessage, type WorkerResult, type WorkerTask } from './worker.ts';

const SAY_EVERY_RUNS = 5_000;
/** Apart enough that no worker repeats the runs of another whose seed is the next. */
const SEEDS_APART = 1_000_003;

const say = (text: string) => process.stderr.write(`simulation: ${text}\n`);
const children = new Set<ChildProcess>();

function tasksOf({ runs, seed, workers, path, mutant }: SimulationOptions): WorkerTask[] {
  return Array.from({ length: workers }, (_, n) => ({
    runs: Math.floor(runs / workers) + (n < runs % workers ? 1 : 0),
    seed: seed + n * SEEDS_APART,
    path,
    mutant,
  })).filter((task) => task.runs > 0);
}

function workApart(task: WorkerTask, tell: (runs: number) => void): Promise<WorkerResult> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), ['--worker']);
  children.add(child);
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => {
      children.delete(child);
      reject(new Error(`a worker ended with code ${String(code)}`));
    });
    child.on('message', (message: WorkerMessage) => {
      if (message.kind === 'progress') tell(message.runs);
      else resolve(message.result);
    });
    child.send(task);
  });
}

/** Ends as soon as one of them has found something. */
async function runAll(options: SimulationOptions): Promise<WorkerResult> {
  const tasks = tasksOf(options);
  const progress = tasks.map(() => 0);
  const from = performance.now();
  const tell = (worker: number, runs: number) => {
    const before = sum(progress);
    progress[worker] = runs;
    const after = sum(progress);
    if (Math.floor(after / SAY_EVERY_RUNS) === Math.floor(before / SAY_EVERY_RUNS)) return;
    say(`${after} runs in ${((performance.now() - from) / 1000).toFixed(0)} s`);
  };
  const counts = new Map<string, number>();
  let runs = 0;
  let failure: Failure | undefined;
  const add = (result: WorkerResult) => {
    runs += result.runs;
    addCounts(counts, result.counts);
    failure ??= result.failure;
    if (result.failure !== undefined) for (const child of children) child.kill();
  };
  const isAlone = tasks.length === 1;
  const all = tasks.map(async (task, n) =>
    add(await (isAlone ? work : workApart)(task, (done) => tell(n, done))),
  );
  const settled = await Promise.allSettled(all);
  const broken = settled.find((one) => one.status === 'rejected');
  if (broken !== undefined && failure === undefined) throw broken.reason;
  return { runs, counts: [...counts], failure };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

/** The name of each in the last line. */
const FAULTS: Readonly<Record<Fault, string>> = {
  fork: 'forks',
  gap: 'gaps',
  lost: 'lost',
  double_signed: 'double_signed',
  twice: 'twice',
  invented: 'invented',
  invalid: 'invalid',
  early_ack: 'early_acks',
  early_checkpoint: 'early_checkpoints',
  false_alarm: 'false_alarms',
  not_recovered: 'not_recovered',
  far_ahead: 'far_ahead',
  unreported: 'unreported',
  vanished: 'vanished',
  damaged: 'damaged',
};

function lastLine({ runs, counts, failure }: WorkerResult): string {
  const happened = new Map(counts);
  const figures: [string, number][] = [
    ['runs', runs],
    ['signed', sumOf(happened, 'head signed')],
    ['conflicts', sumOf(happened, 'conflict')],
    ['zombies', sumOf(happened, 'handed over: zombie', 'partition moved: zombie', 'zombie woken')],
    ['kills', sumOf(happened, 'killed')],
    ['unknown_outcomes', sumOf(happened, 'fails_applied', 'fails_late', 'applied_unanswered')],
    ['behind_log', sumOf(happened, 'sealed behind the time of the log')],
    ['parked', sumOf(happened, 'parked partition continued')],
    ['refused_batches', sumOf(happened, 'ended RECORD_INVALID', 'parked RECORD_INVALID')],
    ['power_losses', sumOf(happened, 'power lost, writes vanish')],
    ['restores', sumOf(happened, 'store restored', 'store emptied', 'older archive')],
    ...Object.entries(FAULTS).map(([fault, name]): [string, number] => [
      name,
      failure?.finding.fault === fault ? 1 : 0,
    ]),
  ];
  return figures.map(([name, count]) => `${name}=${count}`).join(' ');
}

async function simulateAll(options: SimulationOptions): Promise<void> {
  say(`seed ${options.seed}, ${options.runs} runs in ${options.workers} processes`);
  const result = await runAll(options);
  const { failure } = result;
  if (options.counts) process.stdout.write(`${renderCounts(new Map(result.counts))}\n`);
  if (failure !== undefined) {
    const { finding, seed, path, script } = failure;
    process.stdout.write(`${script.join('\n')}\n\n${finding.fault}: ${finding.detail}\n`);
    process.stdout.write(`again with --seed ${seed} --path ${path}\n`);
  }
  process.stdout.write(`${lastLine(result)}\n`);
  process.exitCode = failure === undefined ? 0 : 1;
}

function readOptions(): SimulationOptions | undefined {
  try {
    const options = readArguments(process.argv.slice(2));
    if (options === undefined) process.stdout.write(USAGE);
    return options;
  } catch (error) {
    process.stderr.write(`simulation: ${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

const options = readOptions();
if (options !== undefined) await simulateAll(options);
