import { failureBehaviour } from './failures.behaviour.ts';
import { PLATFORMATIC } from './subject.ts';

await failureBehaviour(PLATFORMATIC);
