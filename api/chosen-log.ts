import { PipelineError } from '../schemas/errors.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';

/**
 * The log that a request names; where there is only one it need not be named. Throws PARAMETER_INVALID otherwise,
 * because to answer for one of several logs what was asked of all would be half an answer.
 */
export function chooseLog(
  published: readonly PublishedLog[],
  name: string | undefined,
  place: string,
): PublishedLog {
  const [only] = published;
  if (name === undefined && published.length === 1 && only !== undefined) return only;
  const found = published.find(({ log }) => log === name);
  if (found !== undefined) return found;
  const names = published.map(({ log }) => log).join(', ');
  const detail = name === undefined ? `name one of the logs: ${names}` : `the logs are ${names}`;
  throw new PipelineError('PARAMETER_INVALID', detail, { place });
}
