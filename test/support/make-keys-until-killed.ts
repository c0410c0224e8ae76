/** Child process: makes data keys in the key store at argv[2] and prints the digest of each when it is given. */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { initKeyStore } from '../../store/data-keys/init-key-store.ts';
import { openFileMasterKeys } from '../../store/data-keys/local/file-master-keys.ts';
import { openLocalKeyObjects } from '../../store/data-keys/local/key-objects.ts';
import { addressOf, fingerprints, nameOf, openTestKeyStore } from './key-store.ts';

const root = process.argv[2] ?? '';
const objects = await openLocalKeyObjects({
  dir: join(root, 'store'),
  purpose: 'begin',
  clock: Date.now,
  newId: randomUUID,
});
const masterKeys = openFileMasterKeys({ dir: join(root, 'master-keys'), randomBytes });
await initKeyStore(objects, masterKeys);
const store = await openTestKeyStore(objects, masterKeys);
for (let batch = 0; ; batch += 1) {
  const people = Array.from({ length: 5 }, (_, index) =>
    nameOf(`${String(process.pid)} ${String(batch * 5 + index)}`),
  );
  const addresses = (await store.subjects(people)).map((subject) => addressOf(subject));
  const keys = fingerprints(await store.keysFor(addresses));
  addresses.forEach((address, place) => process.stdout.write(`${String(address.subject)} ${keys[place]!}\n`));
}
