import { PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBucket } from '../../../../store/archive/s3/client.ts';
import { initKeyStore } from '../../../../store/data-keys/init-key-store.ts';
import { openS3KeyObjects, type KeyBucket } from '../../../../store/data-keys/s3/key-objects.ts';
import { requireKeyBucket } from '../../../../store/data-keys/s3/require-key-bucket.ts';
import { keyStoreContract } from '../../../contract/key-store.contract.ts';
import {
  addressOf,
  createMemoryMasterKeys,
  fingerprints,
  nameOf,
  openTestKeyStore,
} from '../../../support/key-store.ts';
import { startS3Proxy, type S3Fault, type S3Proxy } from '../../../support/s3-server-proxy.ts';
import { findEngine, REGION, startS3Server, type S3Server } from '../../../support/s3-server.ts';

const BUCKET = 'keys';
const LIMITS = { maxAttempts: 4, baseDelayMs: 1, maxDelayMs: 2 };
const CREDENTIALS = { accessKeyId: 'any', secretAccessKey: 'any-secret' };

function placeAt(server: Pick<S3Server, 'endpoint' | 'credentials'>, bucket: string, prefix = ''): KeyBucket {
  const { endpoint, credentials } = server;
  return {
    bucket: openBucket({ endpoint, credentials, region: REGION, bucket, requestTimeoutMs: 1_000 }),
    prefix,
    retrying: { limits: LIMITS, random: () => 0.5, sleep: () => Promise.resolve() },
  };
}

const minio = await findEngine('minio');
const versitygw = await findEngine('versitygw');

describe.skipIf(minio.path === undefined)('a bucket of MinIO', () => {
  describe('that holds keys', () => {
    let server: S3Server;
    let count = 0;

    beforeAll(async () => {
      server = await startS3Server('minio', minio.path!);
      await server.makePlainBucket(BUCKET);
    });

    afterAll(() => server.stop());

    keyStoreContract('a bucket of MinIO', () => {
      const prefix = `t${String((count += 1))}/`;
      return Promise.resolve({
        open: () => Promise.resolve(openS3KeyObjects(placeAt(server, BUCKET, prefix))),
        dispose: () => Promise.resolve(),
      });
    });

    it('passes the trial, and the trial leaves nothing', async () => {
      const place = placeAt(server, BUCKET, 'trial/');
      await requireKeyBucket(place, randomUUID());
      const objects = openS3KeyObjects(place);
      const left: string[] = [];
      for await (const each of objects.list('')) left.push(each);
      expect(left).toEqual([]);
      await objects.close();
    });

    it.each(['Enabled', 'Suspended'] as const)('is refused where its versioning is %s', async (Status) => {
      const bucket = `versions-${Status.toLowerCase()}`;
      await server.makePlainBucket(bucket);
      const client = new S3Client({
        endpoint: server.endpoint,
        region: REGION,
        credentials: server.credentials,
        forcePathStyle: true,
      });
      // A bucket is suspended after it was enabled: versions of that time live on.
      for (const each of new Set(['Enabled' as const, Status])) {
        const VersioningConfiguration = { Status: each };
        await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
      }
      client.destroy();
      const place = placeAt(server, bucket);
      await expect(requireKeyBucket(place, randomUUID())).rejects.toMatchObject({
        code: 'KEY_STORE_UNFIT',
        detail: expect.stringContaining(Status) as string,
      });
      if (Status === 'Enabled') {
        // The same bucket, had it got its versions under a running process.
        const objects = openS3KeyObjects(place);
        const unfit = { code: 'KEY_STORE_UNFIT' };
        const object = { name: 'a', bytes: Buffer.from('key') };
        await expect(objects.create([object])).rejects.toMatchObject(unfit);
        const removal = { name: 'a', from: undefined, to: undefined };
        await expect(objects.change([removal])).rejects.toMatchObject(unfit);
      }
      place.bucket.client.destroy();
    });

    it('is refused where it has object lock, and unavailable where it is not there', async () => {
      await server.makeBucket('locked');
      for (const [bucket, code] of [
        ['locked', 'KEY_STORE_UNFIT'],
        ['nowhere', 'KEY_STORE_UNAVAILABLE'],
      ] as const) {
        const place = placeAt(server, bucket);
        await expect(requireKeyBucket(place, randomUUID())).rejects.toMatchObject({ code });
        place.bucket.client.destroy();
      }
    });

    it('lists more names than fit into one page', async () => {
      const objects = openS3KeyObjects(placeAt(server, BUCKET, 'many/'));
      const names = Array.from({ length: 1_050 }, (_, index) => `class-keys/${String(index)}`);
      await objects.create(names.map((each) => ({ name: each, bytes: Buffer.from(each) })));
      const listed: string[] = [];
      for await (const each of objects.list('class-keys/')) listed.push(each);
      expect(listed.sort()).toEqual(names.sort());
      await objects.close();
    });
  });
});

/** It looks for the object first and writes it later, so that a race has several winners. */
describe.skipIf(versitygw.path === undefined)('a bucket of versitygw', () => {
  it('is refused, because several creators of one object win there', async () => {
    const server = await startS3Server('versitygw', versitygw.path!);
    const place = placeAt(server, BUCKET);
    try {
      await server.makePlainBucket(BUCKET);
      // The race has one winner by chance, now and then.
      const trials = [];
      for (let trial = 0; trial < 4; trial += 1)
        trials.push(await requireKeyBucket(place, randomUUID()).catch((error: unknown) => error));
      expect(trials).toContainEqual(
        expect.objectContaining({
          code: 'KEY_STORE_UNFIT',
          detail: expect.stringContaining('in a race') as string,
        }),
      );
    } finally {
      place.bucket.client.destroy();
      await server.stop();
    }
  });
});

describe.skipIf(minio.path === undefined)('a key store in a bucket that fails', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  let count = 0;
  let place: KeyBucket;

  beforeAll(async () => {
    server = await startS3Server('minio', minio.path!);
    await server.makePlainBucket(BUCKET);
    proxy = await startS3Proxy(server.port);
  });

  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  beforeEach(() => {
    proxy.reset();
    place = placeAt({ ...server, endpoint: proxy.endpoint }, BUCKET, `f${String((count += 1))}/`);
    return () => {
      place.bucket.client.destroy();
    };
  });

  const openStore = async () => {
    const objects = openS3KeyObjects(place);
    const masterKeys = createMemoryMasterKeys();
    await initKeyStore(objects, masterKeys);
    return { objects, masterKeys, store: await openTestKeyStore(objects, masterKeys) };
  };

  it.each<[string, Pick<S3Fault, 'method' | 'how'>]>([
    ['503 to a write', { method: 'PUT', how: 503 }],
    ['a write cut before', { method: 'PUT', how: 'reset-before' }],
    ['a write cut after', { method: 'PUT', how: 'reset-after' }],
    ['a write done and answered by 500', { method: 'PUT', how: 'status-after' }],
    ['a write done and unanswered', { method: 'PUT', how: 'silent-after' }],
    ['a read cut half-way', { method: 'GET', how: 'cut-body' }],
    ['a read answered by 500', { method: 'GET', how: 500 }],
    ['a removal cut after', { method: 'DELETE', how: 'reset-after' }],
  ])('gives one key, and destroys it, through %s', async (_name, fault) => {
    const { objects, masterKeys, store } = await openStore();
    proxy.arm({ ...fault, times: 1 });
    const [jane = ''] = await store.subjects([nameOf('jane')]);
    proxy.arm({ ...fault, times: 1 });
    const keys = fingerprints(await store.keysFor([addressOf(jane), addressOf(null)]));
    const other = await openTestKeyStore(objects, masterKeys);
    expect(fingerprints(await other.find([addressOf(jane), addressOf(null)]))).toEqual(keys);
    proxy.arm({ ...fault, times: 1 });
    await other.destroy({ subject: jane });
    expect(await other.find([addressOf(jane)])).toEqual(['destroyed']);
    const names: string[] = [];
    for await (const name of objects.list('')) names.push(name);
    expect(names.filter((name) => name.includes(jane) && !name.startsWith('destroyed-'))).toEqual([]);
  });

  it('says KEY_STORE_UNAVAILABLE when the attempts are used up, and goes on later', async () => {
    const { store } = await openStore();
    proxy.arm({ method: 'PUT', how: 503 });
    await expect(store.keysFor([addressOf(null)])).rejects.toMatchObject({
      code: 'KEY_STORE_UNAVAILABLE',
      detail: expect.stringContaining('503') as string,
    });
    proxy.reset();
    expect(await store.keysFor([addressOf(null)])).toHaveLength(1);
  });
});

describe('a store that takes a second creation', () => {
  it('is refused', async () => {
    const stub = createServer((incoming, outgoing) => {
      incoming.resume();
      const isVersioning = incoming.url?.includes('versioning') === true;
      const xml = '<?xml version="1.0" encoding="UTF-8"?><VersioningConfiguration/>';
      outgoing.writeHead(200, { etag: '"a"' }).end(isVersioning ? xml : undefined);
    });
    stub.listen(0, '127.0.0.1');
    await once(stub, 'listening');
    const endpoint = `http://127.0.0.1:${String((stub.address() as AddressInfo).port)}`;
    const place = placeAt({ endpoint, credentials: CREDENTIALS }, BUCKET);
    try {
      await expect(requireKeyBucket(place, randomUUID())).rejects.toMatchObject({
        code: 'KEY_STORE_UNFIT',
        detail: expect.stringContaining('If-None-Match') as string,
      });
    } finally {
      place.bucket.client.destroy();
      stub.closeAllConnections();
      stub.close();
    }
  });
});
