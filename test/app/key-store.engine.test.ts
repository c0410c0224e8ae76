import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContext, type AppContext } from '../../app/context.ts';
import { initConfiguredKeyStore, openConfiguredKeyStore, withKeyStore } from '../../app/key-store.ts';
import { loadConfig } from '../../config.ts';
import { addressOf, fingerprints } from '../support/key-store.ts';
import { startS3Proxy, type S3Proxy } from '../support/s3-server-proxy.ts';
import { findEngine, startS3Server, type S3Server } from '../support/s3-server.ts';
import { makeTempDir } from '../support/server.ts';

const BUCKET = 'keys';
const minio = await findEngine('minio');

describe.skipIf(minio.path === undefined)('a key store in a bucket', () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let server: S3Server;
  let proxy: S3Proxy;
  let context: AppContext;
  /** Requests that change the bucket. */
  const writes = () => proxy.requests.filter((request) => !/^(?:GET|HEAD) /.test(request));

  beforeAll(async () => {
    folder = await makeTempDir();
    server = await startS3Server('minio', minio.path!);
    await server.makePlainBucket(BUCKET);
    proxy = await startS3Proxy(server.port);
    context = createContext(
      loadConfig(undefined, {
        AFFIDAVIT_DATA: folder.path,
        AFFIDAVIT_LOG_LEVEL: 'silent',
        AFFIDAVIT_KEY_STORE_BUCKET: BUCKET,
        AFFIDAVIT_S3_ENDPOINT: proxy.endpoint,
        AFFIDAVIT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
        AFFIDAVIT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      }),
    );
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
    await folder.remove();
  });

  it('is only read by a verification', async () => {
    await initConfiguredKeyStore(context);
    const store = await openConfiguredKeyStore(context);
    const made = await store.keysFor([addressOf(null)]);
    await store.close();
    expect(writes().length).toBeGreaterThan(0);
    proxy.reset();
    const found = await withKeyStore(context, (find) => find([addressOf(null), addressOf(null, 'person')]));
    expect(fingerprints(found)).toEqual([...fingerprints(made), 'absent']);
    expect(proxy.requests.length).toBeGreaterThan(0);
    expect(writes()).toEqual([]);
  });
});
