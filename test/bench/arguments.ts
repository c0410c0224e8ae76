import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readCount } from '../support/read-count.ts';

export const FIGURE_NAMES = [
  'otlp_json_ack',
  'hook_post_64',
  'sealed_rate',
  'startup_ms',
  'hook_start_ms',
  'verify_leaves',
  'sealed_p95_half',
  'classify',
  'classify_server',
] as const;
export type FigureName = (typeof FIGURE_NAMES)[number];

export interface BenchOptions {
  /** Records of the log that sealing, starting and verifying are measured on. */
  readonly records: number;
  readonly runs: number;
  readonly only: FigureName | undefined;
  readonly json: string | undefined;
  readonly page: string;
  /** Folder for CPU profiles of the server and of the verifier; profiling slows both down. */
  readonly profile: string | undefined;
}

const PAGE = resolve(import.meta.dirname, '../../docs/benchmarks.md');

export const USAGE = `usage: npm run bench -- [options]
  --only NAME   one of ${FIGURE_NAMES.join(', ')}; writes no page
  --runs N      runs of each figure (3)
  --records N   records that are sealed (200000; the stated goal is 1000000)
  --json FILE   one object per figure
  --page FILE   Markdown page to write (docs/benchmarks.md)
  --profile DIR leave CPU profiles of server and verifier there; figures are slower then, so writes no page
`;

/** Throws an Error that says which argument is wrong. */
export function readArguments(args: readonly string[]): BenchOptions {
  const text = { type: 'string' } as const;
  const options = { only: text, runs: text, records: text, json: text, page: text, profile: text };
  const { values } = parseArgs({ args: [...args], options });
  const only = FIGURE_NAMES.find((name) => name === values.only);
  if (values.only !== undefined && only === undefined) throw new Error(`no figure is named ${values.only}`);
  return {
    records: readCount('--records', values.records ?? '200000', 100),
    runs: readCount('--runs', values.runs ?? '3', 1),
    only,
    json: values.json,
    page: values.page ?? PAGE,
    profile: values.profile,
  };
}
