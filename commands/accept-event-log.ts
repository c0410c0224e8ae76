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
  const choice = await acceptEventLog(createContext(config), id);
  const { found = null, accepted: before = null, next = null } = choice;
  const accepted = id ?? before;
  if (json) output.write(toJsonLine({ found, accepted, next }));
  else output.write(describe({ found, accepted, before, next }));
  return found === accepted;
}

interface Choice {
  readonly found: string | null;
  readonly accepted: string | null;
  /** The one that was accepted before this command. */
  readonly before: string | null;
  readonly next: string | null;
}

function describe({ found, accepted, before, next }: Choice): string {
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
  } else if (next !== null) {
    lines.push(
      'The brokers give topics no ids. If a sequencer says EVENT_LOG_REPLACED and the known topic is lost for good, accept',
      'the topic that has its name now:',
      `  affidavit accept-event-log ${next}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
