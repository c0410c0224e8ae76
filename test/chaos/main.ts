/** `npm run chaos`: a deployment of separate processes under faults of every kind. Exit code 1 if anything is wrong. */
import { readArguments, USAGE, type ChaosArguments } from './arguments.ts';
import { openGround } from './ground.ts';
import { runRounds } from './rounds.ts';

const say = (text: string): void => void process.stderr.write(`chaos: ${text}\n`);

async function run(given: ChaosArguments): Promise<boolean> {
  say('starting the engines');
  const ground = await openGround(given);
  try {
    return await runRounds(ground, given, say);
  } finally {
    await ground.close();
  }
}

try {
  const given = readArguments(process.argv.slice(2));
  if (given === undefined) process.stdout.write(USAGE);
  else process.exitCode = (await run(given)) ? 0 : 1;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
