import { acceptEventLog } from '../app/accepted-event-log.ts';
import { createContext } from '../app/context.ts';
import type { Config } from '../config.ts';
import { toJsonLine, type Output } from './output.ts';

/**
 * Shows which event log is there and which one was accepted; with an id, accepts the one that is there.
 *
 * @returns whether the event log that is there is the accepted one
 */
export async function showOrAcceptEventLog(
  config: Config,
  output: Output,
  { id, json }: { readonly id: string | undefined; readonly json: boolean },
): Promise<boolean> {
  const { found, accepted } = await acceptEventLog(createContext(config), id);
  const isAccepted = id !== undefined || found === accepted;
  if (json) {
    output.write(toJsonLine({ found: found ?? null, accepted: id ?? accepted ?? null }));
    return isAccepted;
  }
  output.write(`event log  ${found ?? '(its medium gives no id)'}\n`);
  output.write(`accepted   ${id ?? accepted ?? '(none yet)'}\n`);
  if (id !== undefined && id !== accepted) {
    output.write(
      'The next start of the sequencer reads it from its beginning and seals a record event_log.replaced.\n',
    );
    output.write(
      'Acknowledged envelopes of the old event log that were not sealed are lost: send them again.\n',
    );
  } else if (!isAccepted) {
    output.write('No process starts on it. Bring the accepted event log back; if it is lost for good, run\n');
    output.write(`  affidavit accept-event-log ${found ?? ''}\n`);
  }
  return isAccepted;
}
