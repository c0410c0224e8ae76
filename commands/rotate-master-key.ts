import { createContext } from '../app/context.ts';
import { rotateConfiguredMasterKey } from '../app/key-store.ts';
import type { Config } from '../config.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

/**
 * Puts every object of the key store under a new master key, or completes a rotation that was interrupted. Throws
 * START_REFUSED without a key store and MASTER_KEY_MISSING where the old master key is not on this machine.
 */
export async function rotateMasterKey(
  config: Config,
  output: Output,
  { json }: { readonly json: boolean },
): Promise<void> {
  const progress = createProgress(json ? { ...output, isTerminal: false } : output);
  const rotation = await rotateConfiguredMasterKey(createContext(config), (looked, rewrapped) => {
    progress.step(`${String(looked)} objects looked at, ${String(rewrapped)} rewrapped`);
  });
  progress.done();
  const { retired, current, rewrapped, isResumed } = rotation;
  if (json) {
    output.write(toJsonLine({ retired, current, rewrapped, is_resumed: isResumed }));
    return;
  }
  output.write(
    `${isResumed ? 'Completed the rotation' : 'Rotated'}: ${String(rewrapped)} objects are under ${current} now.\n`,
  );
  output.write(
    `The master key ${retired} opens nothing of this key store any more. Older backups of the key store still need it.\n`,
  );
}
