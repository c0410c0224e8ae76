import { afterAll, describe } from 'vitest';
import { eventLogContract } from '../../contract/event-log.contract.ts';
import { startKafkaBroker } from '../../support/kafka-broker.ts';
import { groupBehaviour } from './group.behaviour.ts';
import { newTopic, opener, optionsFor } from './subject.ts';
import { topicBehaviour } from './topics.behaviour.ts';

const broker = await startKafkaBroker();

if ('skipped' in broker) {
  eventLogContract('Kafka', { skipped: broker.skipped });
} else {
  afterAll(() => broker.dispose());
  eventLogContract('Kafka', () => {
    const topic = newTopic();
    const { open, closeAll } = opener();
    return Promise.resolve({
      keepsAcknowledged: true,
      open: (limits) => open(optionsFor(broker.brokers, topic, limits)),
      dispose: closeAll,
    });
  });
  describe('the topics of the Kafka event log', () => topicBehaviour(broker.brokers));
  describe('processes that share the Kafka event log', () => groupBehaviour(broker.brokers));
}
