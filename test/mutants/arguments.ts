import { parseArgs } from 'node:util';
import type { Mutant } from './mutant.ts';

export interface MutantsOptions {
  readonly mutants: readonly Mutant[];
  /** Print what would be planted, and run nothing. */
  readonly isListing: boolean;
}

export const USAGE = `usage: npm run mutants -- [options]
Plants one defect after another in a copy of the tree and runs the tests that must catch it.
Exit code 1 if a defect survives or cannot be planted.
  --only NAME   this defect alone; may be given several times
  --quick       leave out the defects whose tests are slow; the others take a minute together
  --list        print the defects and their tests, and run nothing
  --help        this text
`;

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[], all: readonly Mutant[]): MutantsOptions | undefined {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string', multiple: true }, quick: flag, list: flag, help: flag },
  });
  if (values.help) return undefined;
  const { only } = values;
  const unknown = only?.find((name) => !all.some((mutant) => mutant.name === name));
  if (unknown !== undefined) throw new Error(`--only does not know ${unknown}; --list names all`);
  const mutants = all
    .filter(({ name }) => only?.includes(name) ?? true)
    .filter(({ isSlow = false }) => !(values.quick && isSlow));
  if (mutants.length === 0) throw new Error('no defect is left: --quick leaves out what --only names');
  return { mutants, isListing: values.list };
}
