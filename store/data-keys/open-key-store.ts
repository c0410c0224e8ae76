/** The key store over any adapter of its objects. */
import type { Clock } from '../../schemas/clock.ts';
import type { KeyAddress } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { findKeys, obtainKeys, type KeyReadOutcome } from './data-keys.ts';
import { destroyKeys } from './destroy.ts';
import { createKeyring } from './keyring.ts';
import type { KeyObjects } from './key-objects.ts';
import type { DataKey } from '../chain/data-key.ts';
import type { DestroyScope, KeyStore } from './key-store.ts';
import type { MasterKeys } from './master-key.ts';
import { obtainSubjects } from './surrogates.ts';
import { TimedCache, type CacheLimits } from './timed-cache.ts';

export interface KeyStoreOptions {
  /** The key store closes it. */
  readonly objects: KeyObjects;
  readonly masterKeys: MasterKeys;
  readonly clock: Clock;
  readonly randomBytes: (count: number) => Buffer;
  /** For data keys, and again for surrogates. */
  readonly cache: CacheLimits;
  /** Called for each read of a data key; must not throw. */
  readonly onKeyRead?: ((outcome: KeyReadOutcome, address: KeyAddress) => void) | undefined;
}

/** Opens a key store that `initKeyStore` began. Throws START_REFUSED before that, MASTER_KEY_MISSING without its master key. */
export async function openKeyStore(options: KeyStoreOptions): Promise<KeyStore> {
  const { objects, masterKeys, clock, randomBytes, onKeyRead = () => undefined } = options;
  const keyring = createKeyring(objects, masterKeys);
  await keyring.current();
  const keys = new TimedCache<DataKey>(options.cache, clock);
  const surrogates = new TimedCache<string>(options.cache, clock);
  const dataKeys = { objects, keyring, cache: keys, randomBytes, onKeyRead };
  let isClosed = false;
  const requireOpen = () => {
    if (isClosed) throw new PipelineError('KEY_STORE_UNAVAILABLE', 'the key store is closed');
  };
  return {
    async subjects(names) {
      requireOpen();
      return obtainSubjects({ objects, keyring, cache: surrogates, randomBytes }, names);
    },
    async keysFor(addresses) {
      requireOpen();
      const results = await obtainKeys(dataKeys, addresses);
      const dead = new Set(
        addresses.filter((_, place) => results[place] === 'destroyed').map(({ subject }) => subject),
      );
      // The caller asks for the surrogate again, and must not get this one.
      if (dead.size > 0) surrogates.forget((subject) => dead.has(subject));
      return results;
    },
    async find(addresses) {
      requireOpen();
      return findKeys(dataKeys, addresses);
    },
    async destroy(scope) {
      requireOpen();
      try {
        return await destroyKeys({ objects, keyring, clock }, scope);
      } finally {
        keys.forget(({ address }) => isInScope(address, scope));
        surrogates.forget((subject) => !('subject' in scope) || scope.subject === subject);
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      keys.forget(() => true);
      surrogates.forget(() => true);
      await objects.close();
    },
  };
}

/** With a name the subject is not known here, so every key counts. */
function isInScope({ subject, retention_class, month }: KeyAddress, scope: DestroyScope): boolean {
  if ('subject' in scope) return subject === scope.subject;
  return 'name' in scope || (retention_class === scope.retention_class && month === scope.month);
}
