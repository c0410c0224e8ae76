/** Whether the key of the logs is between the old and the next one. */
import { existsSync } from 'node:fs';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';

/**
 * Throws START_REFUSED where a change of the key was interrupted: some logs may be under the next key already, and others
 * under the old one.
 */
export function requireNoKeyChange(config: Config): void {
  const { nextSigningKey, nextPackageKey } = dataPaths(config);
  const found = [nextSigningKey, nextPackageKey].find((path) => existsSync(path));
  if (found === undefined) return;
  const detail = `${found} is there: a change of the log key was interrupted`;
  const hint =
    'run `affidavit rotate-log-key` again; it completes the change, and nothing is sealed before that';
  throw new PipelineError('START_REFUSED', detail, { hint });
}
