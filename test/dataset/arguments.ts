import { parseArgs } from 'node:util';
import { readCount } from '../support/read-count.ts';

export interface DatasetOptions {
  readonly records: number;
  readonly bundles: number;
  /** Data folder to make; it must not hold a deployment. */
  readonly data: string;
  readonly seed: string;
  /** Days over which the records were received; the last of them an hour before now. */
  readonly days: number;
}

const MAX_RECORDS = 10_000_000;
const RECORDS_PER_BUNDLE = 1_000;
/** A bundle is made in memory as a whole. */
const MAX_RECORDS_PER_BUNDLE = 100_000;

/** A log that exists and is to be measured. */
export interface MeasureOptions {
  readonly data: string;
  /** Whether the record store is emptied and filled again. */
  readonly refillRows: boolean;
}

const DEFAULT_DATA = './dataset';

export const USAGE = `usage: npm run dataset -- --records N [options]
       npm run dataset -- --measure [--data DIR] [--refill]
Makes a sealed log without a server: keys, archive, rows and head guard, as serving would have left them.
Files are not flushed one by one, so the folder is only durable when the command has ended.
  --records N   records in the log, up to ${String(MAX_RECORDS)}
  --bundles M   bundles that they are sealed in (one for each ${String(RECORDS_PER_BUNDLE)} records)
  --data DIR    data folder to make (./dataset); refused where it holds a deployment already
  --days D      days over which the records were received (30)
  --seed S      what records and salts are drawn from (1)
  --measure     open the log in DIR and print what a start, a recovery after a passing failure and the filling of
                the seen ids take, the memory, and the bytes a record; with --refill also what filling the emptied record store takes
  --help        this text
AFFIDAVIT_ADMIN_TOKEN and AFFIDAVIT_COLLECTOR_TOKEN are the tokens of the deployment, else generated ones are printed.
`;

/** Undefined unless a log is to be measured. Throws an Error that says which argument is wrong. */
export function readMeasureArguments(args: readonly string[]): MeasureOptions | undefined {
  if (!args.includes('--measure')) return undefined;
  const flag = { type: 'boolean', default: false } as const;
  const options = { measure: flag, refill: flag, data: { type: 'string' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  return { data: values.data ?? DEFAULT_DATA, refillRows: values.refill };
}

/** Undefined if help was asked for. Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): DatasetOptions | undefined {
  const text = { type: 'string' } as const;
  const help = { type: 'boolean', default: false } as const;
  const options = { records: text, bundles: text, data: text, days: text, seed: text, help };
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) return undefined;
  if (values.records === undefined) throw new Error('--records is missing');
  const records = readCount('--records', values.records, 1, MAX_RECORDS);
  const usual = String(Math.ceil(records / RECORDS_PER_BUNDLE));
  const bundles = readCount('--bundles', values.bundles ?? usual, 1, records);
  if (records / bundles > MAX_RECORDS_PER_BUNDLE)
    throw new Error(`a bundle holds ${String(MAX_RECORDS_PER_BUNDLE)} records at most; give more --bundles`);
  return {
    records,
    bundles,
    data: values.data ?? DEFAULT_DATA,
    seed: values.seed ?? '1',
    days: readCount('--days', values.days ?? '30', 1, 3650),
  };
}
