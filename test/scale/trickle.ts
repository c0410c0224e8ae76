/**
 * `npm run trickle -- [--minutes N] [--per-second N] [--seal-after-ms N]`: a few hooks a second into a built server, and
 * the cost of each record. Nobody queries while the cost is counted; the delays are measured in the last fifth.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeTempDir, startServer, type TestServer } from '../support/server.ts';
import { sendTrickle } from '../support/trickle.ts';

/** Of /proc/<pid>/stat, on every Linux of today. */
const TICKS_PER_SECOND = 100;
const WATCHED_SHARE = 0.2;

interface Usage {
  readonly records: number;
  readonly files: number;
  readonly bytes: number;
  readonly cpuMs: number;
}

async function usageOf(server: TestServer): Promise<Usage> {
  const records = await server.sealed();
  const folder = join(server.data, 'archive');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { records, files: files.length, bytes, cpuMs: await cpuMsOf(server.process.pid) };
}

/** User and system time of a process, all threads. */
async function cpuMsOf(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  // The name of the program stands in brackets and may hold blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN);
}

function print(figures: Readonly<Record<string, number | string>>): void {
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name}=${String(value)}\n`);
}

async function measure(server: TestServer, seconds: number, perSecond: number): Promise<void> {
  const before = await usageOf(server);
  const quiet = await sendTrickle(server, {
    seconds: seconds * (1 - WATCHED_SHARE),
    perSecond,
    watch: false,
  });
  const after = await usageOf(server);
  const watched = await sendTrickle(server, { seconds: seconds * WATCHED_SHARE, perSecond });
  const records = after.records - before.records;
  const each = (name: keyof Usage): string => ((after[name] - before[name]) / records).toFixed(2);
  print({
    records,
    files_per_record: each('files'),
    bytes_per_record: each('bytes'),
    cpu_ms_per_record: each('cpuMs'),
    answer_ms_p50: percentile(quiet.answersMs, 0.5),
    answer_ms_p95: percentile(quiet.answersMs, 0.95),
    queryable_after_ms_p50: percentile(watched.delaysMs, 0.5),
    queryable_after_ms_p95: percentile(watched.delaysMs, 0.95),
    load: loadavg()
      .map((value) => value.toFixed(1))
      .join(' '),
  });
}

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { minutes: text, 'per-second': text, 'seal-after-ms': text } });
const folder = await makeTempDir();
const server = await startServer(folder.path, {
  AFFIDAVIT_LOG_LEVEL: 'warn',
  AFFIDAVIT_INGEST_SEAL_AFTER_MS: values['seal-after-ms'],
});
try {
  await measure(server, 60 * Number(values.minutes ?? '10'), Number(values['per-second'] ?? '5'));
} finally {
  await server.stop();
  await folder.remove();
}
