/** The first act of a sequencer: is the event log the one that the ledger was read from, and where does reading go on? */
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { judgeEventLog } from './event-log-identity.ts';
import type { EventLog } from './event-log.ts';
import type { SealingOptions } from './seal-batches.ts';
import { missingBehind, sealedBy } from './writers.ts';

export interface SettlingOptions extends Pick<
  SealingOptions,
  'ledger' | 'ownRecord' | 'eventLogKey' | 'clock' | 'logger'
> {
  readonly eventLog: Pick<EventLog, 'id' | 'settle'>;
  readonly partition: number;
  /** Id of the event log that the operator accepted; see `judgeEventLog`. */
  readonly acceptedEventLog: string | undefined;
}

/** Refuses another event log than the ledger's, and begins at the start of one that the operator accepted. */
export async function settleEventLog(options: SettlingOptions): Promise<void> {
  const { eventLog, ledger, acceptedEventLog: accepted } = options;
  const verdict = judgeEventLog({ found: eventLog.id, accepted, sealed: ledger.eventLog() });
  if (verdict.kind === 'refused') throw new PipelineError('EVENT_LOG_REPLACED', verdict.detail);
  requireSameKey(options);
  if (verdict.kind === 'begin_again') {
    const { partition } = options;
    await sealReplacement(options, await eventLog.settle(partition, undefined));
  }
  await settlePlace(options);
}

/** With another key every acknowledged entry that waits would look forged. */
function requireSameKey({ ledger, eventLogKey }: SettlingOptions): void {
  const sealed = ledger.writers()?.key_sha256;
  if (sealed === undefined || sealed === eventLogKey) return;
  throw new PipelineError(
    'START_REFUSED',
    `the newest bundle was read with the event log key ${sealed}, this deployment has ${eventLogKey ?? 'none'}; restore keys/ from the backup`,
  );
}

/**
 * Another process may have sealed more since the head was read, and the event log may have removed that. So a refusal
 * counts only at the newest head.
 */
async function settlePlace({ eventLog, ledger, partition }: SettlingOptions): Promise<void> {
  const from = ledger.nextOffset();
  const settleFrom = (offset: bigint) => eventLog.settle(partition, offset, sealedBy(ledger.writers()));
  try {
    await settleFrom(from);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== 'START_REFUSED') throw error;
    await ledger.recover();
    if (ledger.nextOffset() === from) throw error;
    await settleFrom(ledger.nextOffset());
  }
}

/** Seals the word that another event log is read from now on. From its bundle on, offsets count in the new log. */
async function sealReplacement(
  { eventLog, ledger, ownRecord, clock, logger }: SettlingOptions,
  next_offset: bigint,
): Promise<void> {
  const previous = ledger.eventLog();
  const event_log = eventLog.id;
  if (event_log === undefined || previous === undefined) return;
  const received_at = toInstant(clock());
  const record = ownRecord({
    type: 'event_log.replaced',
    naturalKey: [ledger.origin, previous, event_log, String(ledger.treeSize())],
    received_at,
    facts: { event_log, previous_event_log: previous, ...missingBehind(ledger, received_at) },
  });
  const batch = { records: [record], next_offset, duplicate_count: 0, event_log };
  await (
    await ledger.append(batch)
  ).published;
  logger.warn({ event_log, previous }, 'another event log was accepted and is read from its beginning');
}
