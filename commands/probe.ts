import { probeBucket } from '../compose-probe.ts';
import type { ProbeReport } from '../schemas/probe.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

export interface ProbeCommandOptions {
  /** Left out for AWS itself. */
  readonly endpoint?: string;
  readonly bucket: string;
  /** Prefix of the archive in the bucket. */
  readonly prefix?: string;
  readonly region: string;
  readonly quick: boolean;
  readonly json: boolean;
}

/** Tries what a bucket does about locks and prints it; resolves whether it may hold an archive. */
export async function probe(options: ProbeCommandOptions, output: Output): Promise<boolean> {
  const { quick, json, ...target } = options;
  const progress = createProgress(json ? { ...output, isTerminal: false } : output);
  const report = await probeBucket({
    ...target,
    part: quick ? 'quick' : 'full',
    onStep: (name) => {
      progress.step(name);
    },
  });
  progress.done();
  output.write(json ? toJsonLine(report) : renderProbe(report));
  return report.ok;
}

/** A table for people: one line per property, and below what was expected of those that do not hold. */
export function renderProbe(report: ProbeReport): string {
  const width = Math.max(...report.findings.map(({ name }) => name.length));
  const lines = report.findings.map(({ ok, name, observed, expected }) => {
    const line = `  ${ok ? 'yes' : 'NO '}  ${name.padEnd(width)}  ${observed}\n`;
    return ok ? line : `${line}       expected: ${expected}\n`;
  });
  const failed = report.findings.filter(({ ok }) => !ok).length;
  const verdict = report.ok
    ? 'holds what an archive needs'
    : `must not hold an archive: ${String(failed)} of ${String(report.findings.length)} properties missing`;
  const store = `${report.bucket} at ${report.endpoint ?? 'AWS'}`;
  return `${store}, ${report.part} probe\n${lines.join('')}${renderLeft(report)}The store ${verdict}.\n`;
}

function renderLeft({ left_behind }: ProbeReport): string {
  if (left_behind.length === 0) return '';
  const lines = left_behind.map(
    ({ key, retain_until }) => `  ${key} until ${retain_until ?? 'it is deleted'}\n`,
  );
  return `Left behind, because it is locked:\n${lines.join('')}`;
}
