import { probeBucket } from '../app/checks.ts';
import { s3ConnectionOf } from '../app/engines.ts';
import type { Config } from '../config.ts';
import { call, expectStatus, urlBelow } from '../ingest/send/http.ts';
import { PipelineError } from '../schemas/errors.ts';
import { PROBES, toProbeEvent, type ProbeReport } from '../schemas/probe.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

/** The configuration fills in an option that is left out. */
export interface ProbeCommandOptions {
  readonly endpoint?: string;
  readonly bucket?: string;
  /** Prefix of the archive in the bucket. */
  readonly prefix?: string;
  readonly region?: string;
  readonly quick: boolean;
  readonly json: boolean;
  /** Receivers of a running server that shall seal the report. */
  readonly url?: string;
}

/**
 * Probes the locks of a bucket and prints the report. Resolves with whether the bucket may hold an archive. Throws
 * USAGE_INVALID if neither options nor configuration name a bucket, or the token for the receivers is missing.
 */
export async function probe(config: Config, options: ProbeCommandOptions, output: Output): Promise<boolean> {
  const { quick, json, url } = options;
  const token = url === undefined ? undefined : collectorToken(config);
  const progress = createProgress(json ? { ...output, isTerminal: false } : output);
  const report = await probeBucket({
    ...toTarget(config, options),
    part: quick ? 'quick' : 'full',
    onStep: (name) => {
      progress.step(name);
    },
  });
  progress.done();
  output.write(json ? toJsonLine(report) : renderProbe(report));
  if (url !== undefined && token !== undefined) await send(report, url, token);
  return report.ok;
}

/** Options outrank the configuration. The configured endpoint, prefix and keys are used for any bucket. */
function toTarget({ s3 }: Config, options: ProbeCommandOptions) {
  const { bucket = s3.bucket, endpoint = s3.endpoint, region = s3.region, prefix = s3.prefix } = options;
  if (bucket === undefined) {
    throw new PipelineError(
      'USAGE_INVALID',
      'no bucket: give --bucket, or set s3.bucket (AFFIDAVIT_S3_BUCKET)',
    );
  }
  const wanted = { ...s3, bucket, region, ...(endpoint === undefined ? {} : { endpoint }) };
  return { ...s3ConnectionOf({ s3: wanted }), prefix };
}

function collectorToken({ collector_token }: Config): string {
  if (collector_token !== undefined) return collector_token;
  throw new PipelineError('USAGE_INVALID', '--url needs AFFIDAVIT_COLLECTOR_TOKEN');
}

async function send(report: ProbeReport, url: string, token: string): Promise<void> {
  const body = JSON.stringify(toProbeEvent(report));
  const target = urlBelow(url, '/v1/events');
  const answer = await call(target, { method: 'POST', token, contentType: 'application/json', body });
  await expectStatus(answer, 200);
}

/** A table for people: one line per property; a property that is missing has its meaning and the action below it. */
export function renderProbe(report: ProbeReport): string {
  const width = Math.max(...report.findings.map(({ name }) => name.length));
  const lines = report.findings.map(({ code, ok, name, observed, expected }) => {
    const line = `  ${ok ? 'yes' : 'NO '}  ${name.padEnd(width)}  ${observed}\n`;
    if (ok) return line;
    const { meaning, action } = PROBES[code];
    return `${line}       expected: ${expected}\n       means:    ${meaning}\n       do:       ${action}\n`;
  });
  const failed = report.findings.filter(({ ok }) => !ok).length;
  const verdict = report.ok
    ? 'holds what an archive needs'
    : `must not hold an archive: ${String(failed)} of ${String(report.findings.length)} properties missing`;
  const store = `${report.bucket} at ${report.endpoint ?? 'AWS'}`;
  const took = `${(report.duration_ms / 1000).toFixed(1)} s`;
  return `${store}, ${report.part} probe, ${took}\n${lines.join('')}${renderLeft(report)}The store ${verdict}.\n`;
}

function renderLeft({ left_behind }: ProbeReport): string {
  if (left_behind.length === 0) return '';
  const lines = left_behind.map(
    ({ key, retain_until }) => `  ${key} until ${retain_until ?? 'it is deleted'}\n`,
  );
  return `Left behind, because it is locked:\n${lines.join('')}`;
}
