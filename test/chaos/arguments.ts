import { parseArgs } from 'node:util';
import { readCount } from '../support/read-count.ts';

export interface ChaosArguments {
  readonly rounds: number;
  readonly ingest: number;
  readonly sequencers: number;
  readonly partitions: number;
  readonly seed: number;
  /** Only strikes whose names hold this. */
  readonly only: string;
  readonly sabotage: boolean;
  readonly verbose: boolean;
}

export const USAGE = `usage: npm run chaos -- [options]
Runs a deployment of separate processes on a real Kafka broker, a real S3 server with object lock, and the ClickHouse
engine behind HTTP, and strikes its processes, its engines and the ways between them while requests come in.
  --rounds N       rounds of one or two strikes (40)
  --only NAME      only strikes whose names hold this
  --ingest N       processes that receive (3)
  --sequencers N   processes that seal (3)
  --partitions N   partitions, each a log of its own (6)
  --seed S         what requests and strikes are drawn from (1)
  --sabotage       one acknowledged event is lost: the run must end with exit code 1
  --verbose        what the processes write to standard error, at the end
  --help           this text
`;

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): ChaosArguments | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: text,
      only: text,
      ingest: text,
      sequencers: text,
      partitions: text,
      seed: text,
      sabotage: flag,
      verbose: flag,
      help: flag,
    },
  });
  if (values.help) return undefined;
  return {
    rounds: readCount('--rounds', values.rounds ?? '40', 1),
    only: values.only ?? '',
    ingest: readCount('--ingest', values.ingest ?? '3', 1),
    sequencers: readCount('--sequencers', values.sequencers ?? '3', 1),
    partitions: readCount('--partitions', values.partitions ?? '6', 2),
    seed: readCount('--seed', values.seed ?? '1', 0),
    sabotage: values.sabotage,
    verbose: values.verbose,
  };
}
