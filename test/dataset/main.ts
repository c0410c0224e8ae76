/**
 * `npm run dataset`: makes a sealed log of up to ten million records, for measurements. Progress goes to standard error, the
 * figures to standard output. Exit code 0; 1 if it fails; 2 for usage.
 */
import { loadConfig } from '../../config.ts';
import { tokenNotice } from '../../commands/tokens.ts';
import { readArguments, USAGE, type DatasetOptions } from './arguments.ts';
import { makeDataset, type Made } from './dataset.ts';

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

function readOptions(): DatasetOptions | undefined {
  try {
    const options = readArguments(process.argv.slice(2));
    if (options === undefined) process.stdout.write(USAGE);
    return options;
  } catch (error) {
    say(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

const options = readOptions();
if (options !== undefined) {
  try {
    await make(options);
  } catch (error) {
    say((error as Error).message);
    process.exitCode = 1;
  }
}
