/** Many runs from one seed, and the shortest script of events that still shows what was found. */
import fc from 'fast-check';
import { createCoverage, type Coverage } from './coverage.ts';
import type { Finding } from './judge.ts';
import type { Mutant } from './mutants.ts';
import { simulate } from './simulation.ts';

/** About two of these make one step of a run. */
const MAX_CHOICES = 200;

export interface ManyOptions {
  readonly runs: number;
  readonly seed: number;
  /** Where fast-check found a failure of this seed; runs that one alone. */
  readonly path?: string | undefined;
  readonly mutant?: Mutant | undefined;
  /** Runs that may be spent on a shorter script; after them everything counts as passed. @default 4000, 0 with a path */
  readonly maxShrinks?: number;
  readonly onRun?: (leaves: number) => void;
}

export interface Failure {
  readonly finding: Finding;
  readonly seed: number;
  readonly path: string;
  /** What happens, one line for each event. */
  readonly script: readonly string[];
}

export interface ManyResult {
  readonly runs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly failure: Failure | undefined;
}

export async function simulateMany(options: ManyOptions): Promise<ManyResult> {
  const { runs, seed, path, mutant, onRun = () => undefined } = options;
  const { maxShrinks = path === undefined ? 4_000 : 0 } = options;
  const coverage = createCoverage();
  let shrinksLeft = maxShrinks;
  let isFailed = false;
  const property = fc.asyncProperty(choicesOfARun(), async (bytes) => {
    if (isFailed && shrinksLeft <= 0) return true;
    const { finding, leaves } = await simulate({
      bytes,
      coverage: isFailed ? createCoverage() : coverage,
      mutant,
    });
    onRun(leaves);
    if (isFailed) shrinksLeft -= 1;
    isFailed ||= finding !== undefined;
    return finding === undefined;
  });
  const replay = path === undefined ? {} : { path };
  const { counterexample, counterexamplePath, numRuns } = await fc.check(property, {
    seed,
    numRuns: runs,
    ...replay,
  });
  const { counts } = coverage;
  if (counterexample === null) return { runs: numRuns, counts, failure: undefined };
  const [bytes] = counterexample;
  const told = await tell(bytes, mutant);
  return { runs: numRuns, counts, failure: { ...told, seed, path: counterexamplePath } };
}

function choicesOfARun(): fc.Arbitrary<number[]> {
  const choice = fc.noBias(fc.nat({ max: 255 }));
  return fc.array(choice, { minLength: 0, maxLength: MAX_CHOICES, size: 'max' });
}

async function tell(bytes: readonly number[], mutant: Mutant | undefined) {
  const script: string[] = [];
  const silent: Coverage = createCoverage();
  const { finding } = await simulate({ bytes, coverage: silent, mutant, say: (line) => script.push(line) });
  if (finding === undefined) throw new Error('a run with the same choices went another way');
  return { finding, script };
}
