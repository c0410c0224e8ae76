import { beginGeneration as begin } from '../app/begin-generation.ts';
import { createContext } from '../app/context.ts';
import type { Config } from '../config.ts';
import { describeContinuation } from '../store/chain/continuation.ts';
import { toJsonLine, type Output } from './output.ts';
import { readCheckpoints } from './verify.ts';

export interface BeginGenerationOptions {
  readonly previous: string;
  /** Files of checkpoints that somebody kept elsewhere. */
  readonly trusted: readonly string[];
  readonly trustNothingOf: readonly string[];
  readonly json: boolean;
}

/**
 * Begins a new generation of the logs, or completes a beginning that was interrupted. Throws NOT_FOUND for a file that
 * cannot be read, USAGE_INVALID for checkpoints that do not fit the deployment, and START_REFUSED as a start does.
 */
export async function beginGeneration(
  config: Config,
  { previous, trusted, trustNothingOf, json }: BeginGenerationOptions,
  output: Output,
): Promise<void> {
  const request = { previous, trusted: await readCheckpoints(trusted), trustNothingOf };
  const { isResumed, plan } = await begin(createContext(config), request);
  const { generation, head_log, logs } = plan;
  if (json) {
    const described = logs.map(({ log, origin, vkey, package_key, continues }) => ({
      log,
      origin,
      vkey,
      package_key,
      continues,
    }));
    output.write(toJsonLine({ is_resumed: isResumed, generation, head_log, logs: described }));
    return;
  }
  output.write(
    `${isResumed ? 'Completed the beginning of' : 'Began'} generation ${String(generation)}: ${String(logs.length)} logs and their head log.\n`,
  );
  for (const { origin, vkey, package_key, continues } of logs) {
    output.write(`  origin        ${origin}\n  key           ${vkey}\n  package key   ${package_key}\n`);
    output.write(`                ${describeContinuation(continues)}\n`);
  }
  output.write(`  head log      ${head_log.origin}\n  key           ${head_log.vkey}\n`);
  output.write(
    `The record store was made again and holds the new logs alone. Back up keys/ now: without the new keys nothing can be sealed any more. Keep the old archive: it is evidence up to the trusted heads. Give the new keys to your auditor; \`affidavit verify NEW --previous ${previous}\` compares both archives.\n`,
  );
}
