import { DisableKeyCommand, EnableKeyCommand, EncryptCommand } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { initKeyStore } from '../../../../store/data-keys/init-key-store.ts';
import { openKmsMasterKeys } from '../../../../store/data-keys/kms/kms-master-keys.ts';
import { firstOf, type MasterKeys } from '../../../../store/data-keys/master-key.ts';
import { rotateMasterKey } from '../../../../store/data-keys/rotate-master-key.ts';
import {
  addressOf,
  createMemoryMasterKeys,
  everything,
  fingerprints,
  nameOf,
  openTestKeyStore,
} from '../../../support/key-store.ts';
import { startKmsServer, type KmsServer } from '../../../support/kms-server.ts';
import { createMemoryKeyObjects, type MemoryKeyObjects } from '../../../support/memory-key-objects.ts';
import { findEngine } from '../../../support/s3-server.ts';
import { startS3Proxy, type S3Proxy } from '../../../support/s3-server-proxy.ts';

const engine = await findEngine('local-kms');

describe.skipIf(engine.path === undefined)('master keys under KMS', () => {
  let server: KmsServer;
  let proxy: S3Proxy;
  let kmsKey: string;
  let objects: MemoryKeyObjects;

  beforeAll(async () => {
    server = await startKmsServer(engine.path!);
    proxy = await startS3Proxy(server.port);
  });

  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  beforeEach(async () => {
    kmsKey = await server.makeKey();
    objects = createMemoryKeyObjects();
    proxy.reset();
  });

  const open = (options: { kmsKey?: string; requestTimeoutMs?: number } = {}): MasterKeys =>
    openKmsMasterKeys({
      kmsKey,
      endpoint: proxy.endpoint,
      region: server.region,
      credentials: server.credentials,
      objects,
      randomBytes,
      ...options,
    });

  const seal = async (masterKeys: MasterKeys) => {
    await initKeyStore(objects, masterKeys);
    const store = await openTestKeyStore(objects, masterKeys);
    const subjects = await store.subjects(Array.from({ length: 50 }, (_, index) => nameOf(String(index))));
    const addresses = subjects.map((subject) => addressOf(subject));
    return { addresses, keys: fingerprints(await store.keysFor(addresses)) };
  };

  it('cost one request to make and one for each process, whatever the number of data keys', async () => {
    const { addresses, keys } = await seal(open());
    expect(proxy.requests).toHaveLength(1);
    const store = await openTestKeyStore(objects, open());
    expect(fingerprints(await store.find(addresses))).toEqual(keys);
    expect(proxy.requests).toHaveLength(2);
  });

  it('lie in the key store as an envelope that names the key in KMS, and nothing in clear', async () => {
    await seal(open());
    const [[name, bytes] = never()] = [...(await everything(objects))].filter(([each]) =>
      each.startsWith('master-keys/'),
    );
    const envelope = JSON.parse(bytes.toString()) as Record<string, unknown>;
    expect(envelope).toMatchObject({ v: 1, kind: 'master_key_envelope', kms_key: kmsKey });
    expect(name).toBe(`master-keys/${String(envelope['id'])}`);
  });

  it('open neither from the envelope of another id, nor under another purpose, nor changed', async () => {
    await seal(open());
    const [name = ''] = [...objects.stored.keys()].filter((each) => each.startsWith('master-keys/'));
    const id = name.slice('master-keys/'.length);
    const good = objects.stored.get(name)!.toString();
    const damaged = { code: 'KEY_STORE_DAMAGED' };
    const other = '0'.repeat(32);
    objects.stored.set(`master-keys/${other}`, Buffer.from(good.replace(id, other)));
    await expect(open().find(other)).rejects.toMatchObject(damaged);
    const { ciphertext } = JSON.parse(good) as { ciphertext: string };
    const flipped = `${ciphertext.slice(0, -6)}${ciphertext.at(-6) === 'A' ? 'B' : 'A'}${ciphertext.slice(-5)}`;
    objects.stored.set(name, Buffer.from(good.replace(ciphertext, flipped)));
    await expect(open().find(id)).rejects.toMatchObject(damaged);
    const encrypted = await server.client.send(
      new EncryptCommand({
        KeyId: kmsKey,
        Plaintext: randomBytes(32),
        EncryptionContext: { purpose: 'other' },
      }),
    );
    const foreign = Buffer.from(encrypted.CiphertextBlob!).toString('base64url');
    objects.stored.set(name, Buffer.from(good.replace(ciphertext, foreign)));
    await expect(open().find(id)).rejects.toMatchObject(damaged);
  });

  it('say KEY_STORE_UNAVAILABLE while the key in KMS is disabled, and go on when it is enabled', async () => {
    const { addresses } = await seal(open());
    await server.client.send(new DisableKeyCommand({ KeyId: kmsKey }));
    await expect(openTestKeyStore(objects, open())).rejects.toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    await server.client.send(new EnableKeyCommand({ KeyId: kmsKey }));
    expect(await (await openTestKeyStore(objects, open())).find(addresses)).toHaveLength(addresses.length);
  });

  it.each([500, 503, 'reset-before', 'reset-after'] as const)('try again after %s', async (how) => {
    proxy.arm({ method: 'POST', how, times: 2 });
    const { keys } = await seal(open());
    expect(keys).toHaveLength(50);
  });

  it('give up on a KMS that does not answer, with an error that shows no key', async () => {
    proxy.arm({ method: 'POST', how: 'silent-before' });
    const failed = await open({ requestTimeoutMs: 100 })
      .create()
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    expect((failed as Error).cause).toBeUndefined();
  });

  it('take over from a file by a rotation, and rotate to another key in KMS', async () => {
    const file = createMemoryMasterKeys();
    const { addresses, keys } = await seal(file);
    await rotateMasterKey({ objects, masterKeys: firstOf(open(), file), clock: Date.now });
    file.known.clear();
    expect(fingerprints(await (await openTestKeyStore(objects, open())).find(addresses))).toEqual(keys);
    const second = await server.makeKey();
    await rotateMasterKey({ objects, masterKeys: open({ kmsKey: second }), clock: Date.now });
    await server.client.send(new DisableKeyCommand({ KeyId: kmsKey }));
    expect(fingerprints(await (await openTestKeyStore(objects, open())).find(addresses))).toEqual(keys);
  });
});

function never(): never {
  throw new Error('there is an envelope');
}
