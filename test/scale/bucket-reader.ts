/** Reads what a bucket holds of each log, each bundle once: nothing of the deployment is asked. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { decodeBundle, decodeLines } from '../../store/chain/bundle-bytes.ts';
import { bundlePrefix, numberOfKey } from '../../store/chain/layout.ts';
import { openS3Archive } from '../../store/archive/s3/archive.ts';
import type { ScaleOut } from '../support/scale-out.ts';
import { REGION } from '../support/s3-server.ts';
import type { SealedBundleRead } from '../torture/judge.ts';
import { eventOf } from '../torture/requests.ts';

export interface BucketReader {
  /** Bundles of a log that were not read before, in its order. */
  newBundles(log: string): AsyncIterable<SealedBundleRead>;
  /** Everything that the archive found written over or hidden; empty where nobody tampered. */
  tampering(): readonly string[];
  close(): Promise<void>;
}

export function openBucketReader({ s3, bucket }: Pick<ScaleOut, 's3' | 'bucket'>): BucketReader {
  const found: string[] = [];
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
        yield await readBundle(archive, key);
        lastRead.set(log, key);
      }
    },
    tampering: () => found,
    close: () => archive.close(),
  };
}

async function readBundle(archive: Archive, key: string): Promise<SealedBundleRead> {
  const startIndex = numberOfKey(key);
  const { headerText, leafTexts } = decodeBundle(await read(archive, key));
  const events: number[] = [];
  for (const payload of (JSON.parse(headerText) as BundleHeader).payloads) {
    if (payload.kind !== 'facts') continue;
    // The first line is the secret of the object.
    for (const line of decodeLines(await read(archive, payload.key)).slice(1)) {
      const event = eventOf((JSON.parse(line) as { part: { tool_use_id?: unknown } }).part.tool_use_id);
      if (event !== undefined) events.push(event);
    }
  }
  return { startIndex, leafTexts, events };
}

async function read(archive: Archive, key: string): Promise<Uint8Array> {
  const bytes = await archive.get(key);
  if (bytes === undefined) throw new Error(`${key} is not in the bucket`);
  return bytes;
}
