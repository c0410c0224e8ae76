/** A partition that is made bad on purpose. The others must go on. */
import { setTimeout as delay } from 'node:timers/promises';
import { bundlePrefix } from '../../store/chain/layout.ts';
import { logOf } from '../../app/paths.ts';
import type { Random } from '../torture/random.ts';
import type { Ground } from './ground.ts';
import type { TimeSpan } from './stalls.ts';

export interface BadPartition {
  readonly log: string;
  /** Until it was mended. */
  readonly span: TimeSpan;
  /** Just before it. */
  readonly calm: TimeSpan;
  /** Undefined where it was not to be parked. */
  readonly isParked: boolean | undefined;
}

export const LASTS_MS = [8_000, 12_000] as const;

export function pickLog({ deployment }: Pick<Ground, 'deployment'>, random: Random): string {
  return logOf(random.whole(0, deployment.partitions - 1));
}

/** Load without a strike, to compare with. */
export async function calmThen(random: Random): Promise<TimeSpan> {
  const fromMs = performance.now();
  await delay(random.whole(...LASTS_MS));
  return { fromMs, toMs: performance.now() };
}

/** Each bundle of one log takes as long as a bucket under pressure lets it, while those of the others go through. */
export async function slowOnePartition(ground: Ground, random: Random): Promise<BadPartition> {
  const log = pickLog(ground, random);
  const calm = await calmThen(random);
  const how = () => delay(random.whole(...LASTS_MS));
  for (const bucket of ground.buckets) bucket.arm({ method: 'PUT', url: bundlePrefix(log), how });
  await delay(2 * random.whole(...LASTS_MS));
  for (const bucket of ground.buckets) bucket.reset();
  const span = { fromMs: calm.toMs, toMs: performance.now() };
  return { log, calm, span, isParked: undefined };
}
