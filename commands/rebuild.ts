import { createContext, type AppContext } from '../app/context.ts';
import type { DeployedLog } from '../app/deployment-file.ts';
import { CloseStack, openLog, openSealingEngines, type SealingEngines } from '../app/logs.ts';
import { keepRowsBeyondArchive } from '../app/rows-beyond-archive.ts';
import type { Config } from '../config.ts';
import { createProgress, toJsonLine, type Output, type Progress } from './output.ts';

export interface RebuildOptions {
  readonly json: boolean;
  /** Removes rows beyond the end of the archive too. */
  readonly discardRows: boolean;
}

/**
 * Empties the record store and fills it from the archive and its keys alone, log by log. Throws START_REFUSED where the store holds rows
 * beyond the end of the archive: they may be the last trace of leaves that the archive lost.
 */
export async function rebuild(
  config: Config,
  output: Output,
  { json, discardRows }: RebuildOptions,
): Promise<void> {
  const progress = createProgress(output);
  progress.step('emptying the record store');
  const context = createContext(config);
  const stack = new CloseStack();
  try {
    const recreate = discardRows ? () => Promise.resolve() : await keepRowsBeyondArchive(context);
    const engines = await openSealingEngines(context, stack, { recreate });
    const results = [];
    for (const named of engines.deployment.logs) {
      const result = await rebuildLog(context, engines, named, progress);
      progress.done();
      results.push(result);
      if (!json) {
        output.write(`Rebuilt ${String(result.row_count)} rows of ${result.origin} from the archive.\n`);
        output.write(`  root  ${result.root_hash ?? '(the log is empty)'}\n`);
      }
    }
    if (json) output.write(toJsonLine(results.length === 1 ? results[0] : results));
  } finally {
    await stack.close();
  }
}

async function rebuildLog(
  context: AppContext,
  engines: SealingEngines,
  named: DeployedLog,
  progress: Progress,
) {
  const open = await openLog(context, engines, named, {
    isRebuild: true,
    onReplay: (done, total) => {
      progress.step(`rebuilding ${named.log}: ${String(done)} of ${String(total)} records`);
    },
  });
  try {
    const checkpoint = await open.ledger.checkpoint();
    return {
      origin: open.ledger.origin,
      row_count: await engines.records.size(named.log),
      tree_size: open.ledger.treeSize(),
      root_hash: checkpoint?.root_hash ?? null,
    };
  } finally {
    await open.close();
  }
}
