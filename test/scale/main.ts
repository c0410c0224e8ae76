/** `npm run scale`: a deployment of separate processes under volume. Exit code 1 if anything is wrong. */
import { openScaleOut } from '../support/scale-out.ts';
import { readArguments, USAGE, type ScaleArguments } from './arguments.ts';
import { isWhole, runVolume } from './volume.ts';

const say = (text: string): void => void process.stderr.write(`scale: ${text}\n`);

async function run(given: ScaleArguments): Promise<boolean> {
  say('starting the engines');
  const deployment = await openScaleOut({ partitions: given.partitions });
  if ('skipped' in deployment) throw new Error(deployment.skipped);
  try {
    const result = await runVolume(deployment, given, say);
    const figures = Object.entries(result).map(([name, value]) => `${name}=${String(value)}`);
    process.stdout.write(`${figures.join(' ')}\n`);
    return isWhole(result);
  } finally {
    await deployment.dispose();
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
