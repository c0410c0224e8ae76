/** What a start, a recovery and a refill of projections cost on a sealed log. In: a data folder. Out: figures. */
import { memoryUsage } from 'node:process';
import { pino } from 'pino';
import { createContext } from '../../app/context.ts';
import { CloseStack, openSealingEngines, openLog } from '../../app/logs.ts';
import { dataPaths } from '../../app/paths.ts';
import type { Config } from '../../config.ts';
import { measureSizes, type Sizes } from './sizes.ts';

const RECOVERIES = 3;

export interface Measured {
  readonly leaves: number;
  /** Engines and log are open, so that the first batch can be sealed. */
  readonly startMs: number;
  /** Middle one of three recoveries, as after a failure that passed. */
  readonly recoverMs: number;
  readonly seenIds: { readonly fillMs: number; readonly bytesPerId: number };
  readonly rssBytes: number;
  readonly sizes: Sizes;
  /** Refill of an emptied record store. */
  readonly rows?: { readonly refillMs: number; readonly perSecond: number };
}

export async function measure(
  config: Config,
  { refillRows }: { readonly refillRows: boolean },
): Promise<Measured> {
  const filled: { leaves: number; ms: number; bytes: number }[] = [];
  const context = { ...createContext(config), logger: loggerOf(filled) };
  const stack = new CloseStack();
  const paths = dataPaths(config);
  try {
    const from = performance.now();
    const engines = await openSealingEngines(context, stack);
    const [deployed] = engines.deployment.logs;
    if (deployed === undefined) throw new Error('the deployment has no log');
    const { ledger, seenIds } = stack.keep(await openLog(context, engines, deployed));
    const startMs = performance.now() - from;
    await seenIds.filled();
    const recoveries: number[] = [];
    for (let n = 0; n < RECOVERIES; n += 1) recoveries.push(await timed(() => ledger.recover()));
    const rssBytes = memoryUsage.rss();
    const leaves = ledger.treeSize();
    const [ids] = filled;
    const measured: Measured = {
      leaves,
      startMs,
      recoverMs: recoveries.sort((a, b) => a - b)[Math.floor(RECOVERIES / 2)] ?? 0,
      seenIds: { fillMs: ids?.ms ?? 0, bytesPerId: (ids?.bytes ?? 0) / leaves },
      rssBytes,
      sizes: await measureSizes(engines, { archiveDir: paths.archive, recordsDir: paths.records }),
    };
    if (!refillRows) return measured;
    await engines.records.clear();
    const refillMs = await timed(() => ledger.recover());
    return { ...measured, rows: { refillMs, perSecond: (leaves / refillMs) * 1000 } };
  } finally {
    await stack.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** The program says in its log when the seen ids are filled, and how large they are. */
function loggerOf(filled: { leaves: number; ms: number; bytes: number }[]) {
  const write = (line: string) => {
    const said = JSON.parse(line) as { msg: string; leaves: number; ms: number; bytes: number };
    if (said.msg === 'seen ids are filled') filled.push(said);
  };
  return pino({ level: 'info', base: null }, { write });
}
