/** Binds the probe of a store to clock, chance and network. Part of the composition root. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { s3ConnectionOf } from './archive.ts';
import { systemClock } from './paths.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import { PROBES, refusals, type ProbeFinding, type ProbeReport } from '../schemas/probe.ts';
import type { S3Connection } from '../store/archive/s3/client.ts';

export interface ProbeTarget extends S3Connection {
  readonly prefix?: string | undefined;
  readonly part: ProbeReport['part'];
  readonly onStep?: ((name: string) => void) | undefined;
}

/** Probes a bucket; ARCHIVE_UNAVAILABLE if it does not answer. */
export async function probeBucket(target: ProbeTarget): Promise<ProbeReport> {
  // Loaded where a bucket is in play: the client takes a tenth of a second and 24 MB.
  const { openBucket } = await import('../store/archive/s3/client.ts');
  const { probeStore } = await import('../store/archive/s3/probe-store.ts');
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

/**
 * Tries the configured bucket before anything is written to it; undefined where the archive is a folder. Throws
 * START_REFUSED with every property that does not hold, and ARCHIVE_UNAVAILABLE if the bucket does not answer.
 */
export async function probeAtStart(config: Config, logger: Logger): Promise<ProbeReport | undefined> {
  const { bucket, prefix, single_sequencer: isSingleSequencer } = config.s3;
  if (bucket === undefined) return undefined;
  const report = await probeBucket({ ...s3ConnectionOf(config), prefix, part: 'quick' });
  const refused = refusals(report, { isSingleSequencer });
  if (refused.length > 0) throw new PipelineError('START_REFUSED', describeRefusal(report, refused));
  const { endpoint, duration_ms: durationMs, findings } = report;
  const log = logger.child({ role: 'archive', bucket });
  log.info({ endpoint, durationMs, probeCount: findings.length }, 'the bucket was probed');
  const forgiven = findings.filter(({ ok }) => !ok).map(({ code }) => code);
  if (forgiven.length > 0) {
    log.warn(
      { forgiven },
      'the bucket does not create exclusively; s3.single_sequencer vouches that no second process ever seals, or the log forks',
    );
  }
  return report;
}

function describeRefusal(
  { bucket, endpoint, findings }: ProbeReport,
  refused: readonly ProbeFinding[],
): string {
  const lines = refused.flatMap(({ code, name, observed }) => [
    `  ${code}: ${name}; ${observed}`,
    `    means: ${PROBES[code].meaning}`,
    `    do:    ${PROBES[code].action}`,
  ]);
  const store = `the bucket ${bucket} at ${endpoint ?? 'AWS'}`;
  const count = `${String(refused.length)} of ${String(findings.length)} properties missing`;
  return `${store} must not hold the archive: ${count}\n${lines.join('\n')}`;
}
