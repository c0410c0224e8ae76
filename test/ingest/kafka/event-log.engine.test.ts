import { eventLogBehaviour } from './event-log.behaviour.ts';
import { KAFKAJS } from './subject.ts';

await eventLogBehaviour(KAFKAJS);
