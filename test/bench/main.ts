/** `npm run bench`: measures, prints, writes the page. Exit code 0 unless something crashed; 2 for wrong usage. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIGURE_NAMES, readArguments, USAGE, type BenchOptions, type FigureName } from './arguments.ts';
import type { Bench, Findings } from './bench.ts';
import { measureClassifyServer } from './classifying-server.ts';
import { measureClassify } from './classifying.ts';
import { measureHookStart } from './hook-start.ts';
import { measureBatches, measureHooks } from './intake.ts';
import { describeMachine, NOTES_MARK, renderPage, renderTable } from './page.ts';
import { measureStart, measureVerify } from './reading.ts';
import { fillLog, measureDelayAtHalf, measureSealedRate, type Filled } from './sealing.ts';

/** Measures one figure after another; a figure that needs a full log gets the one of `sealed_rate`. */
async function measure(bench: Bench): Promise<Findings> {
  let filled: Filled | undefined;
  const full = async () => (filled ??= await fillLog(bench, 'sealed'));
  const measurements: Readonly<Record<FigureName, () => Promise<Findings>>> = {
    otlp_json_ack: () => measureBatches(bench),
    hook_post_64: () => measureHooks(bench),
    sealed_rate: async () => {
      const sealed = await measureSealedRate(bench);
      filled = sealed.filled;
      return sealed;
    },
    startup_ms: async () => measureStart(bench, await full()),
    hook_start_ms: () => measureHookStart(bench),
    verify_leaves: async () => measureVerify(bench, await full()),
    sealed_p95_half: async () => measureDelayAtHalf(bench, await full()),
    classify: () => measureClassify(bench),
    classify_server: () => measureClassifyServer(bench),
  };
  const all: Findings[] = [];
  for (const name of FIGURE_NAMES) {
    if (bench.only === undefined || bench.only === name) all.push(await measurements[name]());
  }
  return {
    figures: all.flatMap(({ figures }) => figures),
    remarks: all.flatMap(({ remarks }) => remarks),
  };
}

async function bench(options: BenchOptions): Promise<void> {
  // Before anything is measured, because the sources may change meanwhile.
  const machine = describeMachine();
  const folder = await mkdtemp(join(tmpdir(), 'affidavit-bench-'));
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);
  try {
    const findings = await measure({ ...options, folder, say });
    process.stdout.write(`${renderTable(findings.figures)}\n`);
    for (const remark of findings.remarks) process.stdout.write(`${remark}\n`);
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify(findings.figures, null, 2)}\n`);
    }
    if (options.only === undefined && options.profile === undefined)
      await writePage(options.page, findings, machine);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writePage(page: string, findings: Findings, machine: readonly string[]): Promise<void> {
  const before = existsSync(page) ? await readFile(page, 'utf8') : '';
  const [, notes = ''] = before.split(`${NOTES_MARK}\n`);
  await writeFile(page, renderPage(findings, machine, notes));
}

function readOptions(): BenchOptions | undefined {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

const options = readOptions();
if (options !== undefined) await bench(options);
