/** Asks the event log for the backlog: envelopes that are acknowledged and not sealed yet. */
import type { AppContext } from './context.ts';
import { openEventLog } from './engines.ts';
import type { CloseStack } from './logs.ts';
import type { EventLog } from '../ingest/event-log.ts';
import type { ReadBacklog } from '../schemas/backlog.ts';

/** A process that seals asks the event log that it has open; another one opens the log for this question alone. */
export async function openBacklogReader(
  context: AppContext,
  sealing: Pick<EventLog, 'lag'> | undefined,
  stack: CloseStack,
): Promise<ReadBacklog> {
  const { lag } = sealing ?? context.replaced.eventLog ?? stack.keep(await openEventLog(context));
  return () => lag().catch(() => 'unknown' as const);
}
