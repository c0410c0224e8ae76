/**
 * `npm run dataset`: makes a sealed log of up to ten million records, and measures it. Progress goes to standard error, the
 * figures to standard output. Exit code 0; 1 if it fails; 2 for usage.
 */
import { loadConfig } from '../../config.ts';
import { tokenNotice } from '../../commands/tokens.ts';
import {
  readArguments,
  readMeasureArguments,
  USAGE,
  type DatasetOptions,
  type MeasureOptions,
} from './arguments.ts';
import { makeDataset, type Made } from './dataset.ts';
import { measure, type Measured } from './measure.ts';

const say = (text: string) => process.stderr.write(`dataset: ${text}\n`);

function figures(
  { records, bundles }: DatasetOptions,
  { files, archiveBytes, sealingSeconds }: Made,
): string {
  return [
    `records=${records} bundles=${bundles}`,
    `archive_files=${files} archive_bytes=${archiveBytes}`,
    `sealing_s=${sealingSeconds.toFixed(1)} records_per_s=${Math.round(records / sealingSeconds)}`,
  ].join('\n');
}

async function make(options: DatasetOptions): Promise<void> {
  const config = loadConfig(undefined, { ...process.env, AFFIDAVIT_DATA: options.data });
  const made = await makeDataset(config, options, say);
  if (made.initialised.created !== undefined) process.stdout.write(tokenNotice(made.initialised.created));
  process.stdout.write(`${figures(options, made)}\n`);
}

/** Bytes a record, and how much smaller than the records as JSON everything is that is kept of them. */
function sizeFigures({ leaves, seenIds, sizes }: Measured): string[] {
  const { archive, hot, raw, random } = sizes;
  const each = (bytes: number) => (bytes / leaves).toFixed(0);
  const kept = archive + hot + seenIds.bytesPerId * leaves;
  return [
    `archive_bytes_per_record=${each(archive)} hot=${each(hot)} raw=${each(raw)} kept_of_raw=${(kept / raw).toFixed(2)}`,
    `random_bytes_per_record=${each(random)} random_share_of_archive=${(random / archive).toFixed(2)}`,
  ];
}

function measuredFigures(measured: Measured): string {
  const { leaves, startMs, recoverMs, seenIds, rssBytes, rows } = measured;
  const refill = rows === undefined ? [] : [`rows_refill_s=${(rows.refillMs / 1000).toFixed(1)}`];
  return [
    `leaves=${leaves} start_ms=${startMs.toFixed(0)} recovery_ms=${recoverMs.toFixed(0)}`,
    `seen_ids_ms=${seenIds.fillMs} ids_per_s=${Math.round((leaves / seenIds.fillMs) * 1000)}`,
    `bytes_per_id=${seenIds.bytesPerId.toFixed(1)} rss_mb=${(rssBytes / 1e6).toFixed(0)}`,
    ...sizeFigures(measured),
    ...refill,
  ].join('\n');
}

async function measureLog({ data, refillRows }: MeasureOptions): Promise<void> {
  const config = loadConfig(undefined, { ...process.env, AFFIDAVIT_DATA: data });
  process.stdout.write(`${measuredFigures(await measure(config, { refillRows }))}\n`);
}

/** The work that the arguments ask for; undefined where they ask for help or are wrong. */
function readWork(args: readonly string[]): (() => Promise<void>) | undefined {
  try {
    const measuring = readMeasureArguments(args);
    if (measuring !== undefined) return () => measureLog(measuring);
    const options = readArguments(args);
    if (options !== undefined) return () => make(options);
    process.stdout.write(USAGE);
  } catch (error) {
    say(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

try {
  await readWork(process.argv.slice(2))?.();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
