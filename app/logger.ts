/** Where log lines go. Part of the composition root. */
import { destination, pino, type Logger } from 'pino';
import type { Config } from '../config.ts';

const STANDARD_ERROR = 2;

/** Log lines go to standard error; standard output is for people and for `--json`. */
export function createLogger(config: Config): Logger {
  const redact = {
    paths: ['req.headers', 'token', '*.token', 'authorization', '*.authorization'],
    remove: true,
  };
  return pino(
    { level: config.log_level, redact, base: null },
    destination({ fd: STANDARD_ERROR, sync: true }),
  );
}
