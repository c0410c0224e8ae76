import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Findings } from './bench.ts';
import { rounded, type Figure } from './figure.ts';

/** People write the page from this line on; they describe what the profiles show. */
export const NOTES_MARK = '<!-- Above: written by npm run bench. Below: written by people and kept. -->';

export function describeMachine(): string[] {
  const [cpu] = cpus();
  return [
    `processor ${cpu?.model ?? 'unknown'}, ${cpus().length} cores`,
    `memory ${rounded(totalmem() / 2 ** 30)} GiB`,
    `kernel ${release()}, Node.js ${process.version}`,
    `commit ${describeCommit()}`,
    `taken on ${new Date().toISOString().slice(0, 10)}`,
  ];
}

/** An unpacked archive of the sources has no commit to name. */
function describeCommit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
    return git('rev-parse', '--short=12', 'HEAD') + changed;
  } catch {
    return 'unknown';
  }
}

const HEAD = ['figure', 'unit', 'min', 'median', 'max', 'target', 'verdict', 'limit', 'limit value', 'ratio'];

/** Columns padded the way the formatter pads them. */
export function renderTable(figures: readonly Figure[]): string {
  const rows = [HEAD, ...figures.map(toCells)];
  const widths = HEAD.map((_name, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(HEAD), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line), ''].join(
    '\n',
  );
}

function toCells(figure: Figure): string[] {
  const { name, unit, min, median, max, target, limit_name, limit_median, ratio } = figure;
  const numbers = [min, median, max].map(String);
  const aim = target === undefined ? '' : String(target);
  return [name, unit, ...numbers, aim, verdict(figure), limit_name, String(limit_median), String(ratio)];
}

function verdict({ median, target, meets_target }: Figure): string {
  if (target === undefined) return '';
  if (meets_target === true) return 'met';
  const percent = Math.round((Math.abs(median - target) / target) * 100);
  return `missed by ${percent} %`;
}

export function renderPage(
  { figures, remarks }: Findings,
  machine: readonly string[],
  notes: string,
): string {
  const list = (items: readonly string[]) => items.map((item) => `- ${item}\n`).join('');
  return `# Benchmarks

\`npm run bench\` measures the built server as a child process, with the load generator beside it on the same machine, and writes this page. Beside each figure is a limit: what the machine itself can do, measured in the same run. \`ratio\` is the median divided by that limit. Where a figure has a target, its median is judged.

${list(machine)}
${renderTable(figures)}
${list(remarks)}
${NOTES_MARK}
${notes}`;
}
