import { createLogger } from '../compose.ts';
import { openStores } from '../compose-stores.ts';
import type { Config } from '../config.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

/** Empties the record store and the seen ids and fills them from the archive alone. */
export async function rebuild(
  config: Config,
  output: Output,
  { json }: { readonly json: boolean },
): Promise<void> {
  const progress = createProgress(output);
  progress.step('emptying the record store');
  const stores = await openStores(config, createLogger(config), {
    recreate: true,
    onReplay: (done, total) => {
      progress.step(`rebuilding: ${String(done)} of ${String(total)} records`);
    },
  });
  try {
    progress.done();
    const checkpoint = await stores.ledger.checkpoint();
    const result = {
      origin: stores.ledger.origin,
      row_count: await stores.records.size(stores.ledger.log),
      tree_size: stores.ledger.treeSize(),
      root_hash: checkpoint?.root_hash ?? null,
    };
    if (json) output.write(toJsonLine(result));
    else {
      output.write(`Rebuilt ${String(result.row_count)} rows of ${result.origin} from the archive.\n`);
      output.write(`  root  ${result.root_hash ?? 'none: the log is empty'}\n`);
    }
  } finally {
    await stores.close();
  }
}
