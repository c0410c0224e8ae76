/** Asks the event log for the backlog: envelopes that are acknowledged and not sealed yet. */
import type { AppContext } from './context.ts';
import { openAcceptedEventLog } from './accepted-event-log.ts';
import type { CloseStack } from './logs.ts';
import { toFailure } from './partitions.ts';
import type { EventLog } from '../ingest/event-log.ts';
import type { ReadBacklog } from '../schemas/backlog.ts';

type Asked = Pick<EventLog, 'lag' | 'close'>;

/**
 * A process that seals asks the event log that it has open. Another process opens the event log at the first question,
 * so that it starts and serves while the event log is away; a question that cannot open it answers `unknown`, and the
 * next question tries again. A log that is missing or is not the accepted one says nothing of what waits, so the answer is
 * `unknown` then, and no question makes a log. The stack closes the log that a question opened.
 */
export function createBacklogReader(
  context: AppContext,
  sealing: Pick<EventLog, 'lag'> | undefined,
  stack: CloseStack,
  open: (context: AppContext) => Promise<Asked> = openAcceptedEventLog,
): ReadBacklog {
  const known = sealing ?? context.replaced.eventLog;
  if (known !== undefined) return () => known.lag().catch(() => 'unknown' as const);
  const lazy = openOnce(() => open(context));
  stack.keep(lazy);
  let reported: string | undefined;
  return async () => {
    try {
      const eventLog = await lazy.get();
      return await eventLog.lag();
    } catch (error) {
      const { code, detail } = toFailure(error);
      if (detail !== reported)
        context.logger.warn({ code, detail }, 'the event log does not say what waits in it');
      reported = detail;
      return 'unknown';
    }
  };
}

/** Opens at the first `get`. Calls share one opening; after a failure the next call opens again, until it is closed. */
function openOnce(open: () => Promise<Asked>): { get(): Promise<Asked>; close(): Promise<void> } {
  let opening: Promise<Asked> | undefined;
  let closed = false;
  return {
    get: () => {
      if (closed) return Promise.reject(new Error('the event log is closed'));
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    close: async () => {
      closed = true;
      const opened = await opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}
