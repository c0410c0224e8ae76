import { createHmac, createSecretKey } from 'node:crypto';
import type { KeyAddress } from '../../schemas/data-key.ts';
import { addressText, keyCommitment } from '../../store/chain/data-key.ts';
import type { DataKey } from '../../store/chain/data-key.ts';
import type { KeyStore } from '../../store/data-keys/key-store.ts';

export interface MemoryKeyStore extends Pick<KeyStore, 'subjects' | 'keysFor' | 'find'> {
  /** Destroys every key of a subject for good. */
  destroySubject(subject: string): void;
  /** Loses one key: there is no tombstone. */
  lose(address: KeyAddress): void;
}

/**
 * A key store in memory. Keys and surrogates follow from the seed, so two stores of one seed hold the same: one process
 * of a test finds what another has sealed under.
 */
export function createMemoryKeyStore(seed = 'keys'): MemoryKeyStore {
  const destroyed = new Set<string>();
  const lost = new Set<string>();
  const bytesOf = (text: string) => createHmac('sha256', seed).update(text).digest();
  const keyOf = (address: KeyAddress): DataKey => {
    const key = createSecretKey(bytesOf(addressText(address)));
    return { address, key, commitment: keyCommitment(key, address) };
  };
  const isDestroyed = ({ subject }: KeyAddress) => subject !== null && destroyed.has(subject);
  const surrogateOf = (name: string) => {
    for (let drawn = 0; ; drawn += 1) {
      const surrogate = bytesOf(`surrogate ${String(drawn)} ${name}`).toString('base64url', 0, 16);
      if (!destroyed.has(surrogate)) return surrogate;
    }
  };
  return {
    subjects: (names) => Promise.resolve(names.map(surrogateOf)),
    keysFor: (addresses) =>
      Promise.resolve(addresses.map((address) => (isDestroyed(address) ? 'destroyed' : keyOf(address)))),
    find: (addresses) =>
      Promise.resolve(
        addresses.map((address) => {
          if (isDestroyed(address)) return 'destroyed';
          return lost.has(addressText(address)) ? 'absent' : keyOf(address);
        }),
      ),
    destroySubject: (subject) => void destroyed.add(subject),
    lose: (address) => void lost.add(addressText(address)),
  };
}
