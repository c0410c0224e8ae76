/** The names of all objects of an archive, log by log. */
import { PACKAGE_PATHS } from '../../schemas/evidence-package.ts';
import { bundlePrefix, checkpointPrefix, LOG_ROOT, type ParsedKey } from '../chain/layout.ts';
import type { ArchiveReader } from './archive-reader.ts';
import type { Findings, VerifyOptions } from './report.ts';

/** Start indexes of bundles and tree sizes of checkpoints, rising. */
interface ListedNumbers {
  readonly bundles: number[];
  readonly checkpoints: number[];
}

/** The objects of one log. */
export interface LogListing extends ListedNumbers {
  readonly log: string;
  /** The numbers as they were listed first. An archive may grow during verification: these bundles are verified. */
  readonly early: ListedNumbers;
  /** Keys of payload objects. */
  readonly payloads: Set<string>;
  readonly hasGenesis: boolean;
}

export interface ArchiveListing {
  readonly reader: ArchiveReader;
  readonly logs: readonly LogListing[];
  /** Whether the folder holds a manifest, which belongs to an evidence package. */
  readonly hasManifest: boolean;
}

const NAMES_PER_STEP = 1000;

/**
 * Lists everything. A writer adds payloads, then a bundle, then its checkpoint. The listing goes the other way round:
 * the objects of each bundle in the early list are complete in the later one.
 */
export async function listArchive(
  reader: ArchiveReader,
  { onProgress }: VerifyOptions,
  findings: Findings,
): Promise<ArchiveListing> {
  const logs = new Map<string, LogListing>();
  for (const log of await reader.namesIn(LOG_ROOT)) {
    const checkpoints = await numbersIn(reader, checkpointPrefix(log));
    const bundles = await numbersIn(reader, bundlePrefix(log));
    const hasGenesis = (await reader.namesIn(`${LOG_ROOT}${log}/`)).includes('genesis');
    logs.set(log, {
      hasGenesis,
      log,
      early: { bundles, checkpoints },
      bundles: [],
      checkpoints: [],
      payloads: new Set(),
    });
  }
  const hasManifest = (await reader.namesIn('')).includes(PACKAGE_PATHS.manifest);
  let done = 0;
  for await (const { key, parsed } of reader.walk(findings)) {
    if (parsed === undefined) findings.fail('file_unexpected', null, key);
    else addTo(logs.get(parsed.log), key, parsed);
    done += 1;
    if (done % NAMES_PER_STEP === 0) onProgress?.({ step: 'names', done });
  }
  return { reader, logs: [...logs.values()], hasManifest };
}

function addTo(listing: LogListing | undefined, key: string, { folder, position = 0 }: ParsedKey): void {
  if (folder === 'facts' || folder === 'person' || folder === 'content') listing?.payloads.add(key);
  else if (folder === 'bundle') listing?.bundles.push(position);
  else if (folder === 'checkpoint') listing?.checkpoints.push(position);
}

async function numbersIn(reader: ArchiveReader, folder: string): Promise<number[]> {
  const names = await reader.namesIn(folder);
  return names
    .filter((name) => /^[0-9]{20}$/.test(name))
    .map(Number)
    .filter(Number.isSafeInteger);
}
