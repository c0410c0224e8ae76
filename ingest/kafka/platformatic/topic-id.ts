/**
 * The id of a topic, which kafkajs cannot ask for: it comes with version 10 of the Metadata request. A topic that was
 * deleted and created again has another id.
 */
import { Base, type BaseOptions } from '@platformatic/kafka';
import type { KafkaConnection } from '../options.ts';

export interface TopicIdReader {
  /** Undefined where the brokers are too old to give ids. Rejects as the library does. */
  idOf(topic: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** The wait before a request is repeated for the first time; each later wait is twice as long. */
const RETRY_FIRST_MS = 100;
/** The longest of these waits. */
const RETRY_LAST_MS = 1_000;
/** Brokers from before 2.8 answer this. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Connects at the first request. */
export function createTopicIdReader(connection: KafkaConnection): TopicIdReader {
  const client = new Base(toOptions(connection));
  return {
    idOf: async (topic) => {
      const { topics } = await client.metadata({ topics: [topic], forceUpdate: true });
      const id = topics.get(topic)?.id;
      return id === NO_ID ? undefined : id;
    },
    close: () => client.close(),
  };
}

/** The connection as the library wants it. */
export function toOptions({ brokers, clientId, ssl, sasl }: KafkaConnection): BaseOptions {
  const options: BaseOptions = {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: 5_000,
    requestTimeout: 30_000,
    retries: 8,
    retryDelay: (_client, _operation, attempt) => Math.min(RETRY_FIRST_MS * 2 ** attempt, RETRY_LAST_MS),
    autocreateTopics: false,
  };
  if (sasl !== undefined) {
    const mechanism = sasl.mechanism.toUpperCase() as 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    options.sasl = { mechanism, username: sasl.username, password: sasl.password };
  }
  if (ssl !== undefined && ssl !== false) options.tls = ssl === true ? {} : ssl;
  return options;
}
