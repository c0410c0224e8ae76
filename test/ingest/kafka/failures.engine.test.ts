import { failureBehaviour } from './failures.behaviour.ts';
import { KAFKAJS } from './subject.ts';

await failureBehaviour(KAFKAJS);
