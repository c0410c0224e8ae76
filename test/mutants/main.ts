/**
 * `npm run mutants`: plants defects in a copy of the tree and shows which test catches each. Exit code 0 if all were
 * caught; 1 if one survived or could not be planted; 2 for usage.
 */
import { readArguments, USAGE, type MutantsOptions } from './arguments.ts';
import { hunt, renderSum, renderVerdict, requireGreen, type Verdict } from './hunt.ts';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';
import { copyTree, type TreeCopy } from './tree-copy.ts';

const say = (text: string) => process.stderr.write(`mutants: ${text}\n`);
const print = (text: string) => process.stdout.write(`${text}\n`);

/** Tests mostly wait, and those of one defect do not fill a machine. Each has a copy of the tree for itself. */
const COPIES = 2;

/** Takes one defect after the other from the queue. */
async function huntInCopy(queue: Mutant[], copy: TreeCopy): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const verdict = await hunt(copy, mutant);
    verdicts.push(verdict);
    print(renderVerdict(verdict));
  }
  return verdicts;
}

async function huntAll({ mutants }: MutantsOptions): Promise<void> {
  const from = performance.now();
  const copies: TreeCopy[] = [];
  try {
    for (let made = 0; made < Math.min(COPIES, mutants.length); made += 1) copies.push(await copyTree());
    say(`${mutants.length} defects; first their tests without a defect`);
    if (copies[0] !== undefined) await requireGreen(copies[0], mutants);
    const queue = [...mutants];
    const hunts = await Promise.all(copies.map((copy) => huntInCopy(queue, copy)));
    const verdicts = hunts.flat();
    print(`${renderSum(verdicts)} seconds=${((performance.now() - from) / 1000).toFixed(0)}`);
    const isBad = verdicts.some(({ kind }) => kind === 'survived' || kind === 'error');
    process.exitCode = isBad ? 1 : 0;
  } catch (error) {
    say((error as Error).message);
    process.exitCode = 1;
  } finally {
    await Promise.all(copies.map((copy) => copy.remove()));
  }
}

function list({ mutants }: MutantsOptions): void {
  for (const { name, defect, file, tests, isSlow } of mutants) {
    print(`${name.padEnd(34)} ${defect}${isSlow === true ? ' (slow)' : ''}`);
    print(`${' '.repeat(35)}${file}: ${tests.join(', ')}`);
  }
}

function readOptions(): MutantsOptions | undefined {
  try {
    const options = readArguments(process.argv.slice(2), MUTANTS);
    if (options === undefined) process.stdout.write(USAGE);
    return options;
  } catch (error) {
    say(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

// Ends the tests that run: their exit handlers kill them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const options = readOptions();
if (options?.isListing === true) list(options);
else if (options !== undefined) await huntAll(options);
