/** Reads what a bucket holds of each log, each bundle once: nothing of the deployment is asked. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { bundlePrefix, numberOfKey } from '../../store/chain/layout.ts';
import { openS3Archive } from '../../store/archive/s3/archive.ts';
import type { ScaleOut } from '../support/scale-out.ts';
import { REGION } from '../support/s3-server.ts';
import type { SealedBundleRead } from '../torture/judge.ts';
import { eventsOf } from '../torture/requests.ts';
import { openKeysOf } from '../support/local-keys.ts';
import { readParts } from '../../store/ledger/sealed-parts.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { KeyStore } from '../../store/data-keys/key-store.ts';

export interface BucketReader {
  /** Bundles of a log that were not read before, in its order. */
  newBundles(log: string): AsyncIterable<SealedBundleRead>;
  /** Everything that the archive found written over or hidden; empty where nobody tampered. */
  tampering(): readonly string[];
  close(): Promise<void>;
}

export function openBucketReader({
  s3,
  bucket,
  shared,
}: Pick<ScaleOut, 's3' | 'bucket' | 'shared'>): BucketReader {
  const found: string[] = [];
  let keys: Promise<KeyStore> | undefined;
  const archive = openS3Archive({
    ...{ endpoint: s3.endpoint, region: REGION, bucket, credentials: s3.credentials },
    random: Math.random,
    newPutId: randomUUID,
    sleep: (ms) => delay(ms),
    onTampering: (key, { kind }) => void found.push(`${kind} at ${key}`),
  });
  const lastRead = new Map<string, string>();
  return {
    async *newBundles(log) {
      for await (const key of archive.list(bundlePrefix(log), lastRead.get(log))) {
        yield await readBundle(archive, await (keys ??= openKeysOf(shared)), key);
        lastRead.set(log, key);
      }
    },
    tampering: () => found,
    async close() {
      await (await keys)?.close();
      await archive.close();
    },
  };
}

async function readBundle(
  archive: Archive,
  dataKeys: Pick<KeyStore, 'find'>,
  key: string,
): Promise<SealedBundleRead> {
  const startIndex = numberOfKey(key);
  const { headerText, frameTexts, leafTexts } = decodeBundle(await read(archive, key));
  const header = JSON.parse(headerText) as BundleHeader;
  const frames = frameTexts.map((text) => JSON.parse(text) as FrameRef);
  const { facts } = await readParts({ archive, dataKeys }, { header, frames });
  return { startIndex, leafTexts, events: eventsOf(facts.values()) };
}

async function read(archive: Archive, key: string): Promise<Uint8Array> {
  const bytes = await archive.get(key);
  if (bytes === undefined) throw new Error(`${key} is not in the bucket`);
  return bytes;
}
