/** Opens the key store that the configuration names, and its master keys: in a folder or a bucket, from files or AWS KMS. */
import type { AppContext } from './context.ts';
import { s3ConnectionOf } from './engines.ts';
import { dataPaths } from './paths.ts';
import type { KeyObjects, KeyStorePurpose } from '../store/data-keys/key-objects.ts';
import type { KeyAddress } from '../schemas/data-key.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { FoundKey } from '../store/chain/data-key.ts';
import type { KeyStore } from '../store/data-keys/key-store.ts';
import type { MasterKeys } from '../store/data-keys/master-key.ts';
import type { KeyStoreOptions } from '../store/data-keys/open-key-store.ts';
import type { Rotation } from '../store/data-keys/rotate-master-key.ts';

/** Data keys, and again surrogates, that a process remembers. */
const MAX_CACHE_ENTRIES = 50_000;

type KeyContext = Pick<AppContext, 'config' | 'logger' | 'system'>;

interface Opened {
  readonly objects: KeyObjects;
  readonly masterKeys: MasterKeys;
}

/** Begins the key store where that is asked for; an existing one stays as it is. Resolves the id of its master key. */
export async function initConfiguredKeyStore(context: KeyContext): Promise<string> {
  const { initKeyStore } = await import('../store/data-keys/init-key-store.ts');
  return using(context, 'begin', ({ objects, masterKeys }) => initKeyStore(objects, masterKeys));
}

export interface OpenKeyStoreOptions extends Pick<KeyStoreOptions, 'onKeyRead'> {
  /** @default 'use' */
  readonly purpose?: KeyStorePurpose;
}

/** Throws START_REFUSED where the key store was not begun, MASTER_KEY_MISSING where its master key is not here. */
export async function openConfiguredKeyStore(
  context: KeyContext,
  { purpose = 'use', onKeyRead }: OpenKeyStoreOptions = {},
): Promise<KeyStore> {
  const { config, system } = context;
  const { openKeyStore } = await import('../store/data-keys/open-key-store.ts');
  const opened = await open(context, purpose);
  try {
    return await openKeyStore({
      ...opened,
      clock: system.clock,
      randomBytes: system.randomBytes,
      cache: { maxEntries: MAX_CACHE_ENTRIES, maxAgeMs: config.key_store.cache_ms },
      onKeyRead,
    });
  } catch (error) {
    await opened.objects.close();
    throw error;
  }
}

/** A damaged key is `absent` for a verification, so that one of them does not take the verdict on everything else away. */
async function findSound(
  store: Pick<KeyStore, 'find'>,
  addresses: readonly KeyAddress[],
): Promise<readonly FoundKey[]> {
  try {
    return await store.find(addresses);
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const found: FoundKey[] = [];
  for (const address of addresses) {
    const [one = 'absent'] = await store.find([address]).catch((error: unknown) => {
      if (isDamage(error)) return [];
      throw error;
    });
    found.push(one);
  }
  return found;
}

function isDamage(error: unknown): boolean {
  return error instanceof PipelineError && error.code === 'KEY_STORE_DAMAGED';
}

/** Runs a verification that may open frames, with the reading side of the key store. Nothing is written to it. */
export async function withKeyStore<T>(
  context: KeyContext,
  run: (find: KeyStore['find']) => Promise<T>,
): Promise<T> {
  const store = await openConfiguredKeyStore(context, { purpose: 'read' });
  try {
    return await run((addresses) => findSound(store, addresses));
  } finally {
    await store.close();
  }
}

/** As `rotateMasterKey`. */
export async function rotateConfiguredMasterKey(
  context: KeyContext,
  onProgress: (looked: number, rewrapped: number) => void,
): Promise<Rotation> {
  const { rotateMasterKey } = await import('../store/data-keys/rotate-master-key.ts');
  return using(context, 'use', (opened) =>
    rotateMasterKey({ ...opened, clock: context.system.clock, onProgress }),
  );
}

async function using<T>(
  context: KeyContext,
  purpose: KeyStorePurpose,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const opened = await open(context, purpose);
  try {
    return await work(opened);
  } finally {
    await opened.objects.close();
  }
}

async function open(context: KeyContext, purpose: KeyStorePurpose): Promise<Opened> {
  const { config } = context;
  const { bucket } = config.key_store;
  const objects = await (bucket === undefined
    ? openFolder(context, purpose)
    : openBucketOf(context, bucket, purpose));
  try {
    return { objects, masterKeys: await openMasterKeys(context, objects) };
  } catch (error) {
    await objects.close();
    throw error;
  }
}

async function openFolder({ config, system }: KeyContext, purpose: KeyStorePurpose): Promise<KeyObjects> {
  const { openLocalKeyObjects } = await import('../store/data-keys/local/key-objects.ts');
  const dir = config.key_store.dir ?? dataPaths(config).keyStore;
  return openLocalKeyObjects({ dir, purpose, clock: system.clock, newId: system.newId });
}

/** A bucket is tried by writing to it, so not where it is only read. */
async function openBucketOf(
  { config, logger, system }: KeyContext,
  bucket: string,
  purpose: KeyStorePurpose,
): Promise<KeyObjects> {
  const [{ openBucket }, { RETRY_LIMITS }, { openS3KeyObjects }, { requireKeyBucket }] = await Promise.all([
    import('../store/archive/s3/client.ts'),
    import('../store/archive/s3/retry.ts'),
    import('../store/data-keys/s3/key-objects.ts'),
    import('../store/data-keys/s3/require-key-bucket.ts'),
  ]);
  const connection = s3ConnectionOf({ s3: { ...config.s3, bucket } });
  const log = logger.child({ role: 'key-store', bucket });
  const retrying = {
    limits: RETRY_LIMITS,
    random: system.random,
    sleep: (ms: number) => system.sleep(ms),
    onRetry: (attempt: string, cause: string) => {
      log.warn({ attempt, cause }, 'request to the bucket of keys failed, trying again');
    },
  };
  const place = { bucket: openBucket(connection), prefix: '', retrying };
  try {
    if (purpose !== 'read') await requireKeyBucket(place, system.newId());
  } catch (error) {
    place.bucket.client.destroy();
    throw error;
  }
  return openS3KeyObjects(place);
}

/** With AWS KMS the files are looked at too, so that a rotation can move from them to KMS. */
async function openMasterKeys({ config, system }: KeyContext, objects: KeyObjects): Promise<MasterKeys> {
  const { openFileMasterKeys } = await import('../store/data-keys/local/file-master-keys.ts');
  const dir = config.key_store.master_keys ?? dataPaths(config).masterKeys;
  const { randomBytes } = system;
  const files = openFileMasterKeys({ dir, randomBytes });
  const { kms_key: kmsKey } = config.key_store;
  if (kmsKey === undefined) return files;
  const [{ openKmsMasterKeys }, { firstOf }] = await Promise.all([
    import('../store/data-keys/kms/kms-master-keys.ts'),
    import('../store/data-keys/master-key.ts'),
  ]);
  return firstOf(openKmsMasterKeys({ kmsKey, region: config.s3.region, objects, randomBytes }), files);
}
