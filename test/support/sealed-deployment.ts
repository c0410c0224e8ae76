/** A deployment on a folder with records in its log, made in this process without a server. */
import { createContext } from '../../app/context.ts';
import { initialise } from '../../app/deployment.ts';
import { CloseStack, openSealingEngines, openLog } from '../../app/logs.ts';
import type { Config } from '../../config.ts';
import { appendWhole } from './ledger.ts';
import { auditRecord } from './sealed-rows.ts';

/** Seals one bundle for each name; begins the deployment where there is none. */
export async function sealInFolder(config: Config, names: readonly string[]): Promise<void> {
  const context = createContext(config);
  const { deployment } = await initialise(context);
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack);
    const { ledger } = stack.keep(await openLog(context, engines, deployment.logs[0]!));
    for (const name of names) {
      await appendWhole(ledger, {
        records: [auditRecord(name, { received_at: new Date().toISOString() })],
        next_offset: ledger.nextOffset() + 1n,
        duplicate_count: 0,
        event_log: deployment.event_log,
      });
    }
  } finally {
    await stack.close();
  }
}
