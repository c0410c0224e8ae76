/** Cost of starting on a full log, and of verifying one. */
import { join } from 'node:path';
import type { Bench, Findings } from './bench.ts';
import { runMeasured, startServe } from './children.ts';
import { rounded, toFigure } from './figure.ts';
import { measureBareNode, measureHash, repeat } from './limits.ts';
import type { Filled } from './sealing.ts';
import { MAIN } from '../support/server.ts';

export async function measureStart(bench: Bench, { data, records }: Filled): Promise<Findings> {
  bench.say('startup_ms');
  const { startMs } = await measureBareNode(bench.runs);
  const values = await repeat(bench.runs, async () => {
    const server = await startServe(data);
    await server.stop();
    return server.startMs;
  });
  return {
    figures: [toFigure({ name: 'startup_ms', unit: 'ms', values, limit: startMs })],
    remarks: [`startup_ms: from spawning \`serve\` on ${records} records to its saying that it serves`],
  };
}

export async function measureVerify(bench: Bench, { data, records }: Filled): Promise<Findings> {
  const hash = await measureHash(bench.runs);
  const { memoryMb } = await measureBareNode(bench.runs);
  const ended = await repeat(bench.runs, (run) => {
    bench.say(`verify_leaves: run ${run + 1} of ${bench.runs}`);
    return runMeasured([MAIN, 'verify', join(data, 'archive')], bench.profile);
  });
  const seconds = ended.map((run) => rounded(run.seconds)).join(', ');
  return {
    figures: [
      toFigure({
        name: 'verify_leaves',
        unit: 'leaves/s',
        values: ended.map((run) => records / run.seconds),
        limit: hash,
        atLeast: 100_000,
      }),
      toFigure({
        name: 'verify_rss',
        unit: 'MB',
        values: ended.map(({ peakMb }) => peakMb),
        limit: memoryMb,
        atMost: 200,
      }),
    ],
    remarks: [
      `verify_leaves: \`affidavit verify\` on an archive of ${records} leaves with their payloads, its start included: ${seconds} s; verify_rss is the largest memory that the system saw`,
    ],
  };
}
