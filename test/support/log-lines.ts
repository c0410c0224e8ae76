/** A logger whose lines a test can look at. */
import { pino, type Logger } from 'pino';

export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly level: number;
  readonly msg: string;
}

export function createTestLogger(): { readonly logger: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const logger = pino(
    { level: 'trace', base: null },
    {
      write: (text: string) => void lines.push(JSON.parse(text) as LogLine),
    },
  );
  return { logger, lines };
}
