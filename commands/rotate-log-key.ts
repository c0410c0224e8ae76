import { createContext } from '../app/context.ts';
import { rotateLogKey as rotate } from '../app/rotate-log-key.ts';
import type { Config } from '../config.ts';
import { toJsonLine, type Output } from './output.ts';

/**
 * Changes the key that signs the logs and the one that signs packages, or completes a change that was interrupted. Throws START_REFUSED without a deployment,
 * and where a start would refuse.
 */
export async function rotateLogKey(
  config: Config,
  output: Output,
  { json }: { readonly json: boolean },
): Promise<void> {
  const { isResumed, logs } = await rotate(createContext(config));
  if (json) {
    const described = logs.map(({ log, origin, old_vkey, new_vkey, new_package_key, tree_size }) => ({
      log,
      origin,
      old_vkey,
      new_vkey,
      ...(new_package_key === undefined ? {} : { new_package_key }),
      tree_size,
    }));
    output.write(toJsonLine({ is_resumed: isResumed, logs: described }));
    return;
  }
  output.write(
    `${isResumed ? 'Completed the change of' : 'Changed'} the key of ${String(logs.length)} logs, and the key of packages.\n`,
  );
  for (const { origin, old_vkey, new_vkey } of logs)
    output.write(`  origin  ${origin}\n  old     ${old_vkey}\n  new     ${new_vkey}\n`);
  output.write(
    'Back up keys/ now: without the new key nothing can be sealed any more. Give the new keys to your auditor; the old ones still verify.\n',
  );
}
