/**
 * Makes one partition bad: the object of somebody else, under lock, comes to its next bundle key just before its own
 * bundle. The lock is one that an operator with the right may lift, so the partition can be mended afterwards.
 */
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import { bundlePrefix } from '../../store/chain/layout.ts';
import type { Seat } from '../scale/field.ts';
import { openTestBucket } from '../support/s3-server-archive.ts';
import { readReadiness } from '../support/scale-out.ts';
import type { Random } from '../torture/random.ts';
import type { Ground } from './ground.ts';
import { calmThen, LASTS_MS, pickLog, type BadPartition } from './bad-partition.ts';
import { restart } from './restart.ts';

const PARK_DEADLINE_MS = 30_000;
const DAY_MS = 86_400_000;

/** Until the partition is mended the others are under load, and must go on. */
export async function strikeWithStranger(ground: Ground, random: Random): Promise<BadPartition> {
  const log = pickLog(ground, random);
  const { client } = openTestBucket(ground.deployment.s3, ground.deployment.bucket);
  const place = { Bucket: ground.deployment.bucket };
  const calm = await calmThen(random);
  try {
    const taken = await takeNextKey(ground, log, async (Key) => {
      const { VersionId } = await client.send(
        new PutObjectCommand({
          ...{ ...place, Key, Body: 'a stranger was here', ChecksumAlgorithm: 'SHA256' },
          ObjectLockMode: 'GOVERNANCE',
          ObjectLockRetainUntilDate: new Date(Date.now() + DAY_MS),
        }),
      );
      return { ...place, Key, VersionId };
    });
    const holder = await untilParked(ground, log);
    await delay(random.whole(...LASTS_MS));
    const toMs = performance.now();
    if (taken !== undefined) {
      await client.send(new DeleteObjectCommand({ ...taken, BypassGovernanceRetention: true }));
    }
    // It is tried once more where it is assigned again.
    if (holder !== undefined) await restart(ground, holder, 'SIGTERM');
    return { log, calm, span: { fromMs: calm.toMs, toMs }, isParked: holder !== undefined };
  } finally {
    client.destroy();
  }
}

/** Undefined where no sequencer stores a bundle of the log in time. */
async function takeNextKey<T>(
  { buckets, deployment }: Ground,
  log: string,
  take: (key: string) => Promise<T>,
): Promise<T | undefined> {
  let isTaken = false;
  const taken = new Promise<T>((resolve, reject) => {
    const how = async (url: string): Promise<void> => {
      if (isTaken) return;
      isTaken = true;
      const path = decodeURIComponent(new URL(url, 'http://bucket').pathname);
      await take(path.slice(`/${deployment.bucket}/`.length)).then(resolve, reject);
    };
    for (const bucket of buckets) bucket.arm({ method: 'PUT', url: bundlePrefix(log), times: 1, how });
  });
  const found = await Promise.race([taken, delay(PARK_DEADLINE_MS, undefined, { ref: false })]);
  for (const bucket of buckets) bucket.reset();
  return found;
}

async function untilParked({ field }: Ground, log: string): Promise<Seat | undefined> {
  const endsAtMs = performance.now() + PARK_DEADLINE_MS;
  while (performance.now() < endsAtMs) {
    for (const seat of field.seats.filter(({ role }) => role === 'sequence')) {
      const state = await readReadiness(seat.process);
      if (state?.partitions?.some((one) => one.log === log && one.state === 'parked') === true) return seat;
    }
    await delay(100);
  }
  return undefined;
}
