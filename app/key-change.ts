/** Whether the keys of the logs are between the old and the next ones. */
import { existsSync } from 'node:fs';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';

/** The work that leaves the keys between the old and the next ones when it is interrupted. */
export type KeyWork = 'rotate-log-key' | 'begin-generation';

/**
 * Throws START_REFUSED where other work than `mine` was interrupted: some logs may be under the next keys already, and others
 * under the old ones.
 */
export function requireNoKeyChange(config: Config, mine?: KeyWork): void {
  const { nextSigningKey, nextPackageKey, generationPlan } = dataPaths(config);
  const works: readonly (readonly [KeyWork, string, readonly string[]])[] = [
    ['rotate-log-key', 'a change of the log key', [nextSigningKey, nextPackageKey]],
    ['begin-generation', 'the beginning of a new generation', [generationPlan]],
  ];
  for (const [work, what, paths] of works) {
    const found = work === mine ? undefined : paths.find((path) => existsSync(path));
    if (found === undefined) continue;
    const hint = `run \`affidavit ${work}\` again as before; it completes the work, and nothing is sealed before that`;
    throw new PipelineError('START_REFUSED', `${found} is there: ${what} was interrupted`, { hint });
  }
}
