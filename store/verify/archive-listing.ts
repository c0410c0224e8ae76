/** The names of all objects of an archive, log by log. */
import { PACKAGE_PATHS } from '../../schemas/evidence-package.ts';
import { bundlePrefix, checkpointPrefix, LOG_ROOT, parseKey, type ParsedKey } from '../chain/layout.ts';
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
  /** Keys of hash tiles, and the size of the tree at which each is full. */
  readonly tiles: Map<string, number>;
  /** `listArchive` alone sets it. */
  hasGenesis: boolean;
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
  for await (const log of reader.list(LOG_ROOT, 'folders')) {
    const checkpoints = await numbersBelow(reader, checkpointPrefix(log));
    const bundles = await numbersBelow(reader, bundlePrefix(log));
    logs.set(log, {
      hasGenesis: false,
      log,
      early: { bundles, checkpoints },
      bundles: [],
      checkpoints: [],
      payloads: new Set(),
      tiles: new Map(),
    });
  }
  let hasManifest = false;
  let done = 0;
  for await (const { key, parsed } of reader.walk(findings)) {
    hasManifest ||= key === PACKAGE_PATHS.manifest;
    if (parsed === undefined) findings.fail('file_unexpected', null, key);
    else addTo(logs.get(parsed.log), key, parsed);
    done += 1;
    if (done % NAMES_PER_STEP === 0) onProgress?.({ step: 'names', done });
  }
  return { reader, logs: [...logs.values()], hasManifest };
}

function addTo(listing: LogListing | undefined, key: string, { folder, position = 0 }: ParsedKey): void {
  if (listing === undefined) return;
  if (folder === 'genesis') listing.hasGenesis = true;
  else if (folder === 'bundle') listing.bundles.push(position);
  else if (folder === 'checkpoint') listing.checkpoints.push(position);
  else if (folder === 'tile') listing.tiles.set(key, position);
  else listing.payloads.add(key);
}

async function numbersBelow(reader: ArchiveReader, prefix: string): Promise<number[]> {
  const numbers: number[] = [];
  for await (const key of reader.list(prefix, 'objects')) {
    const position = parseKey(key)?.position;
    if (position !== undefined) numbers.push(position);
  }
  return numbers;
}
