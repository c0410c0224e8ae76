import { afterAll, describe } from 'vitest';
import { eventLogContract } from '../../contract/event-log.contract.ts';
import { startKafkaBroker } from '../../support/kafka-broker.ts';
import { groupBehaviour } from './group.behaviour.ts';
import { newTopic, opener, optionsFor, type ClientUnderTest } from './subject.ts';
import { topicBehaviour } from './topics.behaviour.ts';

/** The contract of the port, and what the Kafka event log promises beyond it, on one broker. */
export async function eventLogBehaviour(subject: ClientUnderTest): Promise<void> {
  const broker = await startKafkaBroker();
  const adapter = `Kafka with ${subject.library}`;
  if ('skipped' in broker) {
    eventLogContract(adapter, { skipped: broker.skipped });
    return;
  }
  afterAll(() => broker.dispose());
  eventLogContract(adapter, () => {
    const topic = newTopic();
    const { open, closeAll } = opener(subject);
    return Promise.resolve({
      keepsAcknowledged: true,
      open: (limits) => open(optionsFor(broker.brokers, topic, limits)),
      dispose: closeAll,
    });
  });
  describe(`the topics of the event log on ${adapter}`, () => topicBehaviour(broker.brokers, subject));
  describe(`processes that share the event log on ${adapter}`, () => groupBehaviour(broker.brokers, subject));
}
