import { parseArgs } from 'node:util';

export interface ScaleArguments {
  readonly records: number;
  readonly rounds: number;
  readonly ingest: number;
  readonly sequencers: number;
  readonly partitions: number;
  readonly seed: number;
  readonly verbose: boolean;
}

export const USAGE = `usage: npm run scale -- [options]
Runs a deployment of separate processes on a real Kafka broker, a real S3 server with object lock, and the ClickHouse
engine behind HTTP; sends simulated records through it and verifies all its logs. With --rounds it kills its processes
and the broker while requests come in.
  --records N      records to send (20000); not used with --rounds
  --rounds N       rounds of kill -9, instead of a number of records
  --ingest N       processes that receive (3)
  --sequencers N   processes that seal (3)
  --partitions N   partitions, each a log of its own (6)
  --seed S         what requests and kills are drawn from (1)
  --verbose        what the processes write to standard error, at the end
  --help           this text
`;

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): ScaleArguments | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      records: text,
      rounds: text,
      ingest: text,
      sequencers: text,
      partitions: text,
      seed: text,
      verbose: flag,
      help: flag,
    },
  });
  if (values.help) return undefined;
  return {
    records: readCount('--records', values.records ?? '20000', 1),
    rounds: readCount('--rounds', values.rounds ?? '0', 0),
    ingest: readCount('--ingest', values.ingest ?? '3', 1),
    sequencers: readCount('--sequencers', values.sequencers ?? '3', 1),
    partitions: readCount('--partitions', values.partitions ?? '6', 1),
    seed: readCount('--seed', values.seed ?? '1', 0),
    verbose: values.verbose,
  };
}

function readCount(name: string, text: string, least: number): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new Error(`${name} takes a whole number from ${String(least)}`);
}
