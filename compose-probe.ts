/** Binds the probe of a store to clock, chance and network. Part of the composition root. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from './compose-init.ts';
import type { ProbeReport } from './schemas/probe.ts';
import { openBucket, type S3Connection } from './store/s3/client.ts';
import { probeStore } from './store/s3/probe.ts';

export interface ProbeTarget extends S3Connection {
  readonly prefix?: string | undefined;
  readonly part: ProbeReport['part'];
  readonly onStep?: ((name: string) => void) | undefined;
}

/** Probes a bucket; ARCHIVE_UNAVAILABLE if it does not answer. */
export async function probeBucket(target: ProbeTarget): Promise<ProbeReport> {
  const bucket = openBucket(target);
  try {
    return await probeStore(bucket, {
      ...target,
      id: randomUUID(),
      clock: systemClock,
      sleep: (ms) => sleep(ms),
    });
  } finally {
    bucket.client.destroy();
  }
}
