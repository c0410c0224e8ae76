import { PipelineError } from '../../schemas/errors.ts';
import type { PublishedLog } from '../../store/ledger/published-log.ts';

/**
 * The log that a request names; the only log where there is one. Throws PARAMETER_INVALID for an unknown name, and for
 * a missing name where there are several logs: an answer for one of them would look like an answer for all.
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
