/** The master keys of one key store: which is the current one, and any of them by its id. */
import { MasterKeyState } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { KeyObjects } from './key-objects.ts';
import type { MasterKey, MasterKeys } from './master-key.ts';
import { STATE_NAME } from './object-names.ts';
import { formatObject, parseObject } from './stored-object.ts';

export interface Keyring {
  /**
   * The master key that wraps new objects, as the store names it now: a rotation in another process may have begun. Throws
   * START_REFUSED where the store names none.
   */
  current(): Promise<MasterKey>;
  /** Throws MASTER_KEY_MISSING where this machine does not have it. */
  byId(id: string): Promise<MasterKey>;
  state(): Promise<MasterKeyState>;
  /** Replaces the state in one step. Resolves false where it is not `from` any more. */
  setState(from: MasterKeyState, to: Pick<MasterKeyState, 'current' | 'retiring'>): Promise<boolean>;
}

export function createKeyring(objects: KeyObjects, masterKeys: MasterKeys): Keyring {
  const known = new Map<string, MasterKey>();
  const keyring: Keyring = {
    current: async () => keyring.byId((await keyring.state()).current),
    async byId(id) {
      const found = known.get(id) ?? (await masterKeys.find(id));
      if (found === undefined) {
        throw new PipelineError('MASTER_KEY_MISSING', `the key store needs the master key ${id}`);
      }
      known.set(id, found);
      return found;
    },
    async state() {
      const [bytes] = await objects.read([STATE_NAME]);
      if (bytes !== undefined) return parseObject(MasterKeyState, STATE_NAME, bytes);
      throw new PipelineError(
        'START_REFUSED',
        'the key store names no master key: it was not begun here, or the object was lost; a key store begins only when that is asked for',
      );
    },
    async setState(from, to) {
      const change = { name: STATE_NAME, from: formatObject(from), to: formatState(to) };
      const [isChanged] = await objects.change([change]);
      return isChanged === true;
    },
  };
  return keyring;
}

export function formatState({ current, retiring }: Pick<MasterKeyState, 'current' | 'retiring'>): Buffer {
  return formatObject({ v: 1, kind: 'master_key', current, retiring });
}
