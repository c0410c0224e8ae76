import { PipelineError } from '../../schemas/errors.ts';
import { createKeyring, formatState } from './keyring.ts';
import type { KeyObjects } from './key-objects.ts';
import type { MasterKeys } from './master-key.ts';
import { DESTROYED_MONTHS, DESTROYED_SUBJECTS, STATE_NAME, WRAPPED_FOLDERS } from './object-names.ts';

/**
 * Begins a key store: makes its master key and then the object that names it. Safe to repeat, also side by side: a store that
 * has begun keeps its master key. Resolves the id of the master key. Throws START_REFUSED where there are keys and the name
 * of their master key is lost, and MASTER_KEY_MISSING where the master key is not here: another one would open nothing.
 */
export async function initKeyStore(objects: KeyObjects, masterKeys: MasterKeys): Promise<string> {
  const [state] = await objects.read([STATE_NAME], { durable: true });
  if (state === undefined) {
    await requireEmpty(objects);
    // Durable before the store names it. If the process dies in between, a key that opens nothing is left over.
    const { id } = await masterKeys.create();
    await objects.create([{ name: STATE_NAME, bytes: formatState({ current: id, retiring: null }) }]);
  }
  return (await createKeyring(objects, masterKeys).current()).id;
}

async function requireEmpty(objects: KeyObjects): Promise<void> {
  for (const folder of [...WRAPPED_FOLDERS, DESTROYED_SUBJECTS, DESTROYED_MONTHS]) {
    for await (const name of objects.list(folder)) {
      throw new PipelineError(
        'START_REFUSED',
        `the key store holds ${name} and not ${STATE_NAME}; restore it from its backup`,
      );
    }
  }
}
