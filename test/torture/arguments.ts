import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readCount } from '../support/read-count.ts';
import { MAIN } from '../support/server.ts';
import { FAULT_KINDS, type FaultKind } from './plan.ts';

export const SABOTAGES = ['flip', 'remove'] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export interface TortureOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly only: readonly FaultKind[];
  readonly json: string | undefined;
  readonly keep: boolean;
  /** Entry of the built program. */
  readonly server: string;
  readonly sabotage: Sabotage | undefined;
}

export const USAGE = `usage: npm run torture -- [options]
  --rounds N       rounds, one fault each (20)
  --seed S         what the plan of faults and the requests are drawn from (a new one each time; it is printed)
  --only KIND,...  strike with these alone: ${FAULT_KINDS.join(', ')}
  --json FILE      write counts, kinds and durations there
  --keep           leave the data folder behind even if nothing was wrong
  --server FILE    main.js of the build to torture (dist/main.js)
  --sabotage HOW   damage the archive after the first round (${SABOTAGES.join(', ')}), to see that it is noticed
  --help           this text
`;

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): TortureOptions | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: text,
      seed: text,
      only: text,
      json: text,
      server: text,
      sabotage: text,
      keep: flag,
      help: flag,
    },
  });
  if (values.help) return undefined;
  return {
    rounds: readCount('--rounds', values.rounds ?? '20', 1),
    seed: readCount('--seed', values.seed ?? String(Date.now() % 1_000_000), 0),
    only: (values.only?.split(',') ?? []).map((name) => oneOf('--only', FAULT_KINDS, name)),
    json: values.json,
    keep: values.keep,
    server: values.server === undefined ? MAIN : resolve(values.server),
    sabotage: values.sabotage === undefined ? undefined : oneOf('--sabotage', SABOTAGES, values.sabotage),
  };
}

function oneOf<Name extends string>(option: string, names: readonly Name[], given: string): Name {
  const found = names.find((name) => name === given);
  if (found === undefined) throw new Error(`${option} does not know ${given}`);
  return found;
}
