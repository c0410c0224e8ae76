import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { KeyStore } from '../../store/data-keys/key-store.ts';
import { openFileMasterKeys } from '../../store/data-keys/local/file-master-keys.ts';
import { openLocalKeyObjects } from '../../store/data-keys/local/key-objects.ts';
import { openKeyStore } from '../../store/data-keys/open-key-store.ts';

const CACHE = { maxEntries: 10_000, maxAgeMs: 30_000 };

/** The key store of a data folder, for a reader beside its server. */
export async function openKeysOf(data: string): Promise<KeyStore> {
  const objects = await openLocalKeyObjects({
    dir: join(data, 'key-store'),
    purpose: 'read',
    clock: Date.now,
    newId: randomUUID,
  });
  const masterKeys = openFileMasterKeys({ dir: join(data, 'keys', 'master-keys'), randomBytes });
  return openKeyStore({ objects, masterKeys, clock: Date.now, randomBytes, cache: CACHE });
}
