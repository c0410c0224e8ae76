/** What tests of key stores share. */
import { createHash, randomBytes } from 'node:crypto';
import type { KeyAddress } from '../../schemas/data-key.ts';
import type { KeyObjects } from '../../store/data-keys/key-objects.ts';
import type { DataKey } from '../../store/chain/data-key.ts';
import type { KeyStore } from '../../store/data-keys/key-store.ts';
import { masterKeyOf, type MasterKey, type MasterKeys } from '../../store/data-keys/master-key.ts';
import { openKeyStore, type KeyStoreOptions } from '../../store/data-keys/open-key-store.ts';

export const CACHE = { maxEntries: 10_000, maxAgeMs: 30_000 };

/** Name of a made-up person. */
export const nameOf = (person: string) => createHash('sha256').update(person).digest('hex');

export const addressOf = (
  subject: string | null,
  retention_class: KeyAddress['retention_class'] = 'content',
  month = '2026-11',
): KeyAddress => ({ subject, retention_class, month });

/** Digest of a key, so that a failed assertion shows no key. */
export function fingerprint(found: DataKey | 'destroyed' | 'absent' | undefined): string {
  if (found === undefined || typeof found === 'string') return String(found);
  return createHash('sha256').update(found.key.export()).digest('hex');
}

export const fingerprints = (found: readonly (DataKey | 'destroyed' | 'absent')[]) => found.map(fingerprint);

export interface MemoryMasterKeys extends MasterKeys {
  readonly known: Map<string, MasterKey>;
}

export function createMemoryMasterKeys(): MemoryMasterKeys {
  const known = new Map<string, MasterKey>();
  return {
    known,
    create() {
      const key = masterKeyOf(randomBytes(32), randomBytes);
      known.set(key.id, key);
      return Promise.resolve(key);
    },
    find: (id) => Promise.resolve(known.get(id)),
  };
}

export function openTestKeyStore(
  objects: KeyObjects,
  masterKeys: MasterKeys,
  options: Partial<KeyStoreOptions> = {},
): Promise<KeyStore> {
  return openKeyStore({ objects, masterKeys, clock: Date.now, randomBytes, cache: CACHE, ...options });
}

/** Every object with its bytes. */
export async function everything(objects: KeyObjects): Promise<Map<string, Buffer>> {
  const names: string[] = [];
  for await (const name of objects.list('')) names.push(name);
  const stored = await objects.read(names);
  return new Map(
    names.flatMap((name, place) => (stored[place] === undefined ? [] : [[name, stored[place]]])),
  );
}
