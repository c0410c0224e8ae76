import { eventLogBehaviour } from './event-log.behaviour.ts';
import { PLATFORMATIC } from './subject.ts';

await eventLogBehaviour(PLATFORMATIC);
