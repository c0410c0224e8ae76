/** The time that an agent waits for each hook command: a process that starts, does its work and ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bareEnvironment, COLLECTOR_TOKEN, MAIN } from '../support/server.ts';
import { dataFolder, type Bench, type Findings } from './bench.ts';
import { startBareServer } from './children.ts';
import { buildBody } from './events.ts';
import { rounded, spread, toFigure } from './figure.ts';
import { repeat } from './limits.ts';

const HOOK = resolve(MAIN, '../hook.mjs');
const MOST_SPAWNS = 20;
/** Nobody listens there, so that the first call begins a back-off window and the others only spool. */
const NOBODY = 'http://127.0.0.1:9';

/** Medians of one run, in milliseconds. */
interface HookRun {
  readonly bareMs: number;
  readonly helpMs: number;
  readonly spooledMs: number;
  readonly deliveredMs: number;
}

export async function measureHookStart(bench: Bench): Promise<Findings> {
  const server = await startBareServer();
  const event = buildBody('hook', 1).bytes;
  const spawns = Math.min(Math.ceil(bench.records / 100), MOST_SPAWNS);
  const runs = await repeat(bench.runs, async (run): Promise<HookRun> => {
    bench.say(`hook_start_ms: run ${run + 1} of ${bench.runs}`);
    const delivered = dataFolder(bench, `hook-delivered-${run}`);
    const spooled = dataFolder(bench, `hook-spooled-${run}`);
    const away = [HOOK, '--url', NOBODY, '--spool', spooled];
    await timeNode(away, event);
    const calls = {
      bareMs: () => timeNode(['-e', '0']),
      helpMs: () => timeNode([HOOK, '--help']),
      spooledMs: () => timeNode(away, event),
      deliveredMs: () =>
        timeNode([HOOK, '--url', `http://127.0.0.1:${server.port}`, '--spool', delivered], event),
    };
    const medians = await interleave(calls, spawns);
    await expectWaiting(delivered, 0);
    await expectWaiting(spooled, spawns + 1);
    return medians;
  });
  await server.stop();
  const limit = { name: 'node -e 0', unit: 'ms', values: runs.map(({ bareMs }) => bareMs) };
  const helpMs = rounded(spread(runs.map((run) => run.helpMs)).median);
  const values = (part: keyof HookRun) => runs.map((run) => run[part]);
  return {
    figures: [
      toFigure({ name: 'hook_start_ms', unit: 'ms', values: values('deliveredMs'), limit }),
      toFigure({ name: 'hook_start_ms_spooled', unit: 'ms', values: values('spooledMs'), limit }),
    ],
    remarks: [
      `hook_start_ms: \`node dist/hook.mjs\` from spawning it to its end, an event of 1 KB written durably and delivered to a bare server; hook_start_ms_spooled in a back-off window; each run is the median of ${spawns} calls, interleaved with the limit; \`--help\` takes ${helpMs} ms`,
    ],
  };
}

/** One call of each in turn, so that all have the same share of whatever else the machine does. */
async function interleave<Name extends string>(
  calls: Readonly<Record<Name, () => Promise<number>>>,
  rounds: number,
): Promise<Record<Name, number>> {
  const names = Object.keys(calls) as Name[];
  const timings = await repeat(rounds, async () => {
    const round: [Name, number][] = [];
    for (const name of names) round.push([name, await calls[name]()]);
    return Object.fromEntries(round) as Record<Name, number>;
  });
  const medians = names.map((name) => [name, spread(timings.map((round) => round[name])).median]);
  return Object.fromEntries(medians) as Record<Name, number>;
}

/** Milliseconds from spawning to the end; rejects unless the exit code is 0. */
async function timeNode(args: readonly string[], input: Buffer = Buffer.alloc(0)): Promise<number> {
  const from = performance.now();
  const child = spawn(process.execPath, [...args], {
    env: bareEnvironment({ AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN }),
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  // A process that does not read may be gone before it is written to.
  child.stdin.on('error', () => undefined).end(input);
  await once(child, 'close');
  const tookMs = performance.now() - from;
  if (child.exitCode === 0) return tookMs;
  throw new Error(`node ${args.join(' ')} ended with ${String(child.exitCode)}`);
}

/** A client that did something else than what is measured would pass for a fast one. */
async function expectWaiting(spool: string, count: number): Promise<void> {
  const waiting = (await readdir(spool)).filter((name) => /^[0-9].*\.json$/.test(name));
  if (waiting.length !== count) throw new Error(`${waiting.length} events wait in ${spool}, not ${count}`);
}
