/** Appends events of this program itself to the event log. */
import type { AppContext } from './context.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { toOwnEnvelope } from '../ingest/own-events.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { NativeEvent } from '../schemas/native-event.ts';

export interface OwnEvents {
  /** Never throws. Keeps an event until `bind`; logs an event that the event log refuses. */
  report(event: NativeEvent): void;
  /** Only processes with an event log turn their events into records; the others have just logged them. */
  bind(eventLog: Pick<EventLog, 'append'>): void;
}

export function createOwnEvents({ logger, system }: Pick<AppContext, 'logger' | 'system'>): OwnEvents {
  let target: Pick<EventLog, 'append'> | undefined;
  const waiting: NativeEvent[] = [];

  const append = (eventLog: Pick<EventLog, 'append'>, event: NativeEvent) => {
    const envelope = toOwnEnvelope(event, system);
    eventLog.append([envelope]).catch((error: unknown) => {
      const code = error instanceof PipelineError ? error.code : 'INTERNAL';
      logger.error({ code, type: event.type }, 'an event of this program could not be made a record');
    });
  };
  return {
    report(event) {
      if (target === undefined) waiting.push(event);
      else append(target, event);
    },
    bind(eventLog) {
      target = eventLog;
      for (const event of waiting.splice(0)) append(eventLog, event);
    },
  };
}
