import { parseArgs } from 'node:util';
import { readCount } from '../support/read-count.ts';

export interface ScaleArguments {
  readonly records: number;
  readonly ingest: number;
  readonly sequencers: number;
  readonly partitions: number;
  readonly seed: number;
}

export const USAGE = `usage: npm run scale -- [options]
Runs a deployment of separate processes on a real Kafka broker, a real S3 server with object lock, and the ClickHouse
engine behind HTTP; sends simulated records through it and verifies all its logs.
  --records N      records to send (20000)
  --ingest N       processes that receive (3)
  --sequencers N   processes that seal (3)
  --partitions N   partitions, each a log of its own (6)
  --seed S         what requests are drawn from (1)
  --help           this text
`;

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): ScaleArguments | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      records: text,
      ingest: text,
      sequencers: text,
      partitions: text,
      seed: text,
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    records: readCount('--records', values.records ?? '20000', 1),
    ingest: readCount('--ingest', values.ingest ?? '3', 1),
    sequencers: readCount('--sequencers', values.sequencers ?? '3', 1),
    partitions: readCount('--partitions', values.partitions ?? '6', 1),
    seed: readCount('--seed', values.seed ?? '1', 0),
  };
}
