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
  const { found = null, accepted: before = null } = await acceptEventLog(createContext(config), id);
  const accepted = id ?? before;
  if (json) output.write(toJsonLine({ found, accepted }));
  else output.write(describe({ found, accepted, before }));
  return found === accepted;
}

interface Choice {
  readonly found: string | null;
  readonly accepted: string | null;
  /** The one that was accepted before this command. */
  readonly before: string | null;
}

function describe({ found, accepted, before }: Choice): string {
  const lines = [
    `event log  ${found ?? '(its medium gives no id)'}`,
    `accepted   ${accepted ?? '(none yet)'}`,
  ];
  if (accepted !== before) {
    lines.push(
      'The next start of the sequencer reads it from its beginning and seals a record event_log.replaced.',
      'Acknowledged envelopes of the old event log that were not sealed are lost: send them again.',
    );
  } else if (found !== accepted) {
    lines.push(
      'No process starts on it. Bring the accepted event log back. If it is lost for good, accept this one:',
      `  affidavit accept-event-log ${found ?? ''}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
