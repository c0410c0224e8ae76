import { parseArgs } from 'node:util';
import { readCount } from '../support/read-count.ts';
import { LIMITS, MUTANTS, type Mutant } from './mutants.ts';

export interface SimulationOptions {
  readonly runs: number;
  readonly seed: number;
  readonly workers: number;
  readonly path: string | undefined;
  readonly mutant: Mutant | undefined;
  readonly counts: boolean;
}

const NAMES = Object.keys({ ...MUTANTS, ...LIMITS });

export const USAGE = `usage: node --import tsx test/simulation/main.ts [options]
  --runs N        runs in all (10000)
  --seed S        what every choice is drawn from (a new one each time; it is printed)
  --workers N     processes that share the runs (2)
  --path P        with the seed that was printed beside it: that one run alone
  --mutant NAME   plant a defect or lift a limit, to see that it is found:
                  ${NAMES.join(', ')}
  --counts        print how often each kind of event happened
  --help          this text
`;

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): SimulationOptions | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { runs: text, seed: text, workers: text, path: text, mutant: text, counts: flag, help: flag },
  });
  if (values.help) return undefined;
  return {
    runs: readCount('--runs', values.runs ?? '10000', 1),
    seed: readCount('--seed', values.seed ?? String(Date.now() % 1_000_000), 0),
    workers: values.path === undefined ? readCount('--workers', values.workers ?? '2', 1) : 1,
    path: values.path,
    mutant: readMutant(values.mutant),
    counts: values.counts,
  };
}

function readMutant(name: string | undefined): Mutant | undefined {
  if (name === undefined || NAMES.includes(name)) return name as Mutant | undefined;
  throw new Error(`--mutant does not know ${name}`);
}
