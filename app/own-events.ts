/** Brings events of the program itself into the event log. Part of the composition root. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { systemClock } from './paths.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { toOwnEnvelope } from '../ingest/own-events.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { NativeEvent } from '../schemas/native-event.ts';

export interface OwnEvents {
  /** Never throws. An event before `bind` waits for it; one that the event log refuses is told to the log of the process. */
  report(event: NativeEvent): void;
  /** Only processes that have the event log make records of their events; others leave it at the line in their log. */
  bind(eventLog: Pick<EventLog, 'append'>): void;
}

export function createOwnEvents(logger: Logger): OwnEvents {
  let target: Pick<EventLog, 'append'> | undefined;
  const waiting: NativeEvent[] = [];

  const append = (eventLog: Pick<EventLog, 'append'>, event: NativeEvent) => {
    const envelope = toOwnEnvelope(event, { clock: systemClock, newId: randomUUID });
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
