/**
 * How every client of kafkajs is made here.
 *
 * Defects of kafkajs: while brokers are away it writes the same log line many times a second, and it calls an error what
 * it mends by itself a moment later. Its lines are thinned out and lowered by one level.
 */
import kafkajs, {
  type Kafka,
  type KafkaConfig,
  type logCreator,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs';
import type { Logger } from 'pino';
import type { KafkaConnection } from '../options.ts';

/** For everything except the producer, which tries for longer. */
export const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 };

/** Connects nothing yet. */
export function createKafka({ brokers, clientId, ssl, sasl, logger }: KafkaConnection): Kafka {
  const config: KafkaConfig = {
    clientId,
    brokers: [...brokers],
    ssl: ssl ?? false,
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: RETRY,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: toLogCreator(logger),
  };
  if (sasl === undefined) return new kafkajs.Kafka(config);
  // A copy, because the client writes into the object that it gets the credentials in.
  return new kafkajs.Kafka({ ...config, sasl: { ...sasl } as SASLOptions });
}

/** A repeated line is written again each time after so many. */
const REPEAT_AFTER = 100;
const REMEMBERED_LINES = 100;

/**
 * Writes the client's log lines without their attachments: offsets, stacks, addresses. An error that the client cannot
 * mend reaches a caller, so its lines are one level lower than it says.
 */
function toLogCreator(logger: Logger): logCreator {
  const { ERROR, WARN } = kafkajs.logLevel;
  const timesWritten = new Map<string, number>();
  return () =>
    ({ namespace, level, log }) => {
      const times = timesWritten.get(log.message) ?? 0;
      if (timesWritten.size >= REMEMBERED_LINES) timesWritten.clear();
      timesWritten.set(log.message, times + 1);
      const line = { client: 'kafkajs', part: namespace, times: times + 1 };
      if (level !== ERROR && level !== WARN) logger.debug(line, log.message);
      else if (times % REPEAT_AFTER > 0) return;
      else if (level === ERROR) logger.warn(line, log.message);
      else logger.info(line, log.message);
    };
}
