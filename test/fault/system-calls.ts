/**
 * System calls of a server as `strace` writes them down. In: the lines of a trace. Out: calls with their begin and end.
 * The one invariant: where the end of a call lies before the begin of another one, the kernel had finished the first when
 * the second was made, because `strace` holds each thread at both ends of a call until it has written the line.
 */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface SystemCall {
  readonly name: string;
  /** As written, with the path behind each descriptor: `18</data/keys>`. */
  readonly args: string;
  /** Undefined where the process ended first. */
  readonly result: string | undefined;
  /** Line numbers of the trace. */
  readonly begin: number;
  readonly end: number;
}

const TRACED = [
  ...[
    'openat',
    'mkdir',
    'mkdirat',
    'link',
    'linkat',
    'rename',
    'renameat',
    'renameat2',
    'fsync',
    'fdatasync',
  ],
  ...['accept', 'accept4', 'write', 'writev', 'pwrite64', 'pwritev', 'sendto', 'sendmsg', 'unlink', 'close'],
];
const TRACE_DEADLINE_MS = 20_000;

/** Runs the command behind it as this very process, with the tracer beside it. */
export function tracerInto(file: string): string[] {
  const filter = `trace=${TRACED.join(',')}`;
  return ['strace', '-D', '-f', '--seccomp-bpf', '-yy', '-s', '64', '-e', filter, '-o', file];
}

/** The reason why nothing can be traced here, or undefined. */
export function noTracerBecause(): string | undefined {
  const tried = spawnSync('strace', ['-f', '-o', '/dev/null', process.execPath, '--version']);
  if (tried.error !== undefined) return `strace does not run: ${tried.error.message}`;
  return tried.status === 0 ? undefined : `strace is refused: ${String(tried.stderr).trim()}`;
}

/** Reads the trace of a process that has ended, when the tracer has written all of it. */
export async function readTrace(file: string, pid: number): Promise<SystemCall[]> {
  const ended = new RegExp(`^${String(pid)} +\\+\\+\\+ `, 'm');
  const deadline = performance.now() + TRACE_DEADLINE_MS;
  while (performance.now() < deadline) {
    const text = await readFile(file, 'utf8');
    if (ended.test(text)) return parseTrace(text);
    await delay(50);
  }
  throw new Error(`${file} does not hold the end of process ${String(pid)}`);
}

/** Thread, name, arguments and result; a call that another one interrupted is on two lines. */
const LINE = /^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)(?: <unfinished \.\.\.>|\) += (.*))$/;

export function parseTrace(text: string): SystemCall[] {
  const calls: SystemCall[] = [];
  /** By thread. */
  const unfinished = new Map<string, Pick<SystemCall, 'name' | 'args' | 'begin'>>();
  text.split('\n').forEach((line, at) => {
    const [, thread, name, args, result] = LINE.exec(line) ?? [];
    if (thread === undefined || name === undefined || args === undefined) return;
    const begun = unfinished.get(thread) ?? { name, args: '', begin: at };
    const call = { ...begun, args: `${begun.args}${args}` };
    unfinished.delete(thread);
    if (result === undefined) unfinished.set(thread, call);
    else calls.push({ ...call, result, end: at });
  });
  const cutOff = [...unfinished.values()].map((call) => ({ ...call, result: undefined, end: Infinity }));
  return [...calls, ...cutOff].sort((one, other) => one.begin - other.begin);
}

/** Whether the call succeeded. */
export function hasSucceeded({ result }: SystemCall): boolean {
  return result !== undefined && !result.startsWith('-1 ');
}

/** The path behind the first descriptor, as in `fsync(18</data/keys>)`. */
export function descriptorPath({ args }: SystemCall): string | undefined {
  return /^\d+<([^>]*)>/.exec(args)?.[1];
}

/** The paths that are named in quotation marks: of `link` and `rename` the old one and the new one. */
export function namedPaths({ args }: SystemCall): string[] {
  return [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path]) => path ?? '');
}
