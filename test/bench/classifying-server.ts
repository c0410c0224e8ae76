/** Cost of the classifier in the whole server: two servers by turns, one of which does not search. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, Findings } from './bench.ts';
import { rounded, spread, toFigure, type Figure } from './figure.ts';
import { repeat } from './limits.ts';
import { fillLog, type Filled } from './sealing.ts';

const WITHOUT = join(import.meta.dirname, 'without-classifier.mjs');
/** Smallest share of the rate that must remain with the classifier. */
const LEAST_SHARE = 0.8;

export async function measureClassifyServer(bench: Bench): Promise<Findings> {
  const pairs = await repeat(bench.runs, async (run) => {
    bench.say(`classify_server: run ${run + 1} of ${bench.runs}`);
    // By turns who is first: what a machine does meanwhile falls on both sides.
    const first = run % 2 === 0 ? undefined : WITHOUT;
    const one = await fill(bench, `classify-${run}-a`, first);
    const other = await fill(bench, `classify-${run}-b`, first === undefined ? WITHOUT : undefined);
    return first === undefined ? { withIt: one, without: other } : { withIt: other, without: one };
  });
  const figure = (name: string, rate: 'ackedPerSecond' | 'recordsPerSecond'): Figure => {
    const bare = pairs.map(({ without }) => without[rate]);
    const unit = 'records/s';
    return toFigure({
      name,
      unit,
      values: pairs.map(({ withIt }) => withIt[rate]),
      limit: { name: 'the same without the classifier', unit, values: bare },
      atLeast: rounded(LEAST_SHARE * spread(bare).median),
    });
  };
  return {
    figures: [
      figure('classify_server_ack', 'ackedPerSecond'),
      figure('classify_server_sealed', 'recordsPerSecond'),
    ],
    remarks: [
      `classify_server: ${bench.records} records of 1 KB without a secret through two built servers by turns; one of them has empty modules instead of the classifier. Acknowledged while earlier records are sealed; sealed from the first request to the last record found by the API`,
    ],
  };
}

async function fill(bench: Bench, name: string, preload: string | undefined): Promise<Filled> {
  const filled = await fillLog(bench, name, preload);
  await rm(filled.data, { recursive: true });
  return filled;
}
