/**
 * `npm run torture`: strikes a server under load, again and again on one data folder, and counts what it does with
 * what it acknowledged. Exit code 0 if nothing was lost, sealed twice, forked or falsely alarmed; 1 else; 2 for usage.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createArena, judgeArchive, judgeDrained, judgeRows, serve, type Arena } from './arena.ts';
import { readArguments, USAGE, type TortureOptions } from './arguments.ts';
import { planRounds, type PlannedRound } from './plan.ts';
import { damage } from './sabotage.ts';
import { stopCleanly, STRIKES } from './strikes.ts';
import { addRound, isClean, renderCounts, renderTally, type Tally } from './tally.ts';

const say = (text: string): void => void process.stderr.write(`torture: ${text}\n`);

async function strike(arena: Arena, round: PlannedRound, { server, rounds }: TortureOptions, tally: Tally) {
  const from = performance.now();
  const struck = await STRIKES[round.kind](arena, round);
  await judgeArchive(arena, server);
  const seconds = (performance.now() - from) / 1000;
  const replaced = struck.replacedBecause === undefined ? 0 : 1;
  addRound(tally, round.kind, { replaced, sealed_behind: struck.sealedBehind ?? 0, seconds });
  if (struck.replacedBecause !== undefined) say(struck.replacedBecause);
  const variant = round.kind === 'disk_full' && replaced === 0 ? ` (${round.diskVariant})` : '';
  const counts = renderCounts(arena.judge.counts());
  say(`round ${round.number}/${rounds} ${round.kind}${variant} ${seconds.toFixed(1)} s: ${counts}`);
}

/** One more start without a fault: all that was acknowledged must be in the archive and in the record store. */
async function settle(arena: Arena, { server }: TortureOptions): Promise<void> {
  const served = await serve(arena);
  await judgeDrained(arena, served);
  await judgeRows(arena, served);
  await stopCleanly(arena, served);
  await judgeArchive(arena, server);
}

async function runRounds(arena: Arena, options: TortureOptions, tally: Tally): Promise<void> {
  try {
    for (const round of planRounds(options)) {
      await strike(arena, round, options, tally);
      if (round.number === 1 && options.sabotage !== undefined)
        await damage(join(arena.data, 'archive'), options.sabotage);
    }
    await settle(arena, options);
  } catch (error) {
    // Nobody tampered and nobody helped: whatever ends the run early is an alarm that must not be.
    arena.judge.falseAlarm(error instanceof Error ? error.message : String(error));
    await arena.halt();
  }
}

async function torture(options: TortureOptions): Promise<void> {
  if (!existsSync(options.server)) throw new Error(`${options.server} is missing: run npm run build`);
  const from = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'affidavit-torture-'));
  const arena = createArena(folder, options.server);
  const tally: Tally = {};
  say(`seed ${options.seed}, ${options.rounds} rounds, data in ${folder}`);
  await runRounds(arena, options, tally);
  const counts = arena.judge.counts();
  const seconds = (performance.now() - from) / 1000;
  const clean = isClean(counts);
  for (const finding of arena.judge.findings()) say(finding);
  if (clean && !options.keep) await rm(folder, { recursive: true, force: true });
  else say(`the data folder is kept: ${folder}`);
  const { acks, pushedBack, cutOff, resent } = arena.memory;
  if (options.json !== undefined) {
    const requests = { acknowledged: acks, pushed_back: pushedBack, cut_off: cutOff, resent };
    const { seed, rounds } = options;
    const result = {
      seed,
      rounds,
      seconds,
      ...counts,
      leaves: arena.judge.treeSize(),
      requests,
      kinds: tally,
    };
    await writeFile(
      options.json,
      `${JSON.stringify({ ...result, findings: arena.judge.findings() }, null, 2)}\n`,
    );
  }
  process.stdout.write(
    `${renderTally(tally)}\n` +
      `requests: ${acks} acknowledged, ${pushedBack} asked to come again, ${cutOff} cut off, ${resent} sent again; ` +
      `${seconds.toFixed(0)} s\n${renderCounts(counts)}\n`,
  );
  process.exitCode = clean ? 0 : 1;
}

function readOptions(): TortureOptions | undefined {
  try {
    const options = readArguments(process.argv.slice(2));
    if (options === undefined) process.stdout.write(USAGE);
    return options;
  } catch (error) {
    process.stderr.write(`torture: ${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

// Ends what was started: its exit handlers kill the server and unmount.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const options = readOptions();
if (options !== undefined) await torture(options);
