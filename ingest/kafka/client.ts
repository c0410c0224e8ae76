import kafkajs, { type Kafka, type KafkaConfig, type logCreator } from 'kafkajs';
import type { Logger } from 'pino';
import type { KafkaConnection } from './options.ts';

/** Connects nothing yet. */
export function createClient({ brokers, clientId, ssl, sasl, logger }: KafkaConnection): Kafka {
  const config: KafkaConfig = {
    clientId,
    brokers: [...brokers],
    ssl: ssl ?? false,
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
    logLevel: kafkajs.logLevel.INFO,
    logCreator: toLogCreator(logger),
  };
  // A copy, because the client keeps what it made of the credentials in the object that it was given.
  return new kafkajs.Kafka(sasl === undefined ? config : { ...config, sasl: { ...sasl } });
}

/** While brokers are away the client says the same many times a second. */
const SAY_AGAIN_AFTER = 100;
const REMEMBERED_LINES = 100;

/**
 * The client's log lines without what it attaches to them: offsets, stacks, addresses. What it calls an error it mostly
 * mends itself, and what it cannot mend reaches a caller. A repeated line is written again each hundredth time.
 */
function toLogCreator(logger: Logger): logCreator {
  const { ERROR, WARN } = kafkajs.logLevel;
  const timesSaid = new Map<string, number>();
  return () =>
    ({ namespace, level, log }) => {
      const times = timesSaid.get(log.message) ?? 0;
      if (timesSaid.size >= REMEMBERED_LINES) timesSaid.clear();
      timesSaid.set(log.message, times + 1);
      const line = { client: 'kafkajs', part: namespace, times: times + 1 };
      if (level !== ERROR && level !== WARN) logger.debug(line, log.message);
      else if (times % SAY_AGAIN_AFTER > 0) return;
      else if (level === ERROR) logger.warn(line, log.message);
      else logger.info(line, log.message);
    };
}
