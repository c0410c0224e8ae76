/** Plants each defect, runs its tests and says which of them caught it. */
import { noTracerBecause } from '../fault/system-calls.ts';
import type { Mutant } from './mutant.ts';
import { runTests } from './test-run.ts';
import { missingTests, type TreeCopy } from './tree-copy.ts';

export interface Verdict {
  readonly mutant: Mutant;
  readonly kind: 'caught' | 'survived' | 'error' | 'left_out';
  /** The test that caught it, or the reason. */
  readonly detail: string;
  readonly seconds: number;
}

export async function hunt(copy: TreeCopy, mutant: Mutant): Promise<Verdict> {
  const from = performance.now();
  const verdict = (kind: Verdict['kind'], detail: string): Verdict => ({
    mutant,
    kind,
    detail,
    seconds: (performance.now() - from) / 1000,
  });
  const refusal = mutant.needsTracer === true ? noTracerBecause() : undefined;
  if (refusal !== undefined) return verdict('left_out', refusal);
  try {
    const [missing] = missingTests(mutant);
    if (missing !== undefined) return verdict('error', `${missing} does not exist`);
    const run = await copy.while(mutant, () => runTests(copy.dir, mutant.tests));
    if (run.kind === 'failed') return verdict('caught', run.test);
    if (run.kind === 'broken') return verdict('error', run.reason);
    return verdict('survived', `${run.count} tests passed with it`);
  } catch (error) {
    return verdict('error', error instanceof Error ? error.message : String(error));
  }
}

/** The tests of all these defects must pass before one is planted, or a failure would prove nothing. */
export async function requireGreen(copy: TreeCopy, mutants: readonly Mutant[]): Promise<void> {
  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))].sort();
  const run = await runTests(copy.dir, tests);
  if (run.kind === 'failed') throw new Error(`without any defect a test fails: ${run.test}`);
  if (run.kind === 'broken') throw new Error(`without any defect: ${run.reason}`);
}

const WORDS: Readonly<Record<Verdict['kind'], string>> = {
  caught: 'caught by',
  survived: 'SURVIVED:',
  error: 'ERROR:',
  left_out: 'left out:',
};

export function renderVerdict({ mutant, kind, detail, seconds }: Verdict): string {
  const name = mutant.name.padEnd(34);
  return `${name} ${seconds.toFixed(1).padStart(6)} s  ${mutant.defect}\n${' '.repeat(45)}${WORDS[kind]} ${detail}`;
}

export function renderSum(verdicts: readonly Verdict[]): string {
  const count = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length;
  return (
    `planted=${verdicts.length} caught=${count('caught')} survived=${count('survived')} ` +
    `errors=${count('error')} left_out=${count('left_out')}`
  );
}
