/** What an archive holds: the names of the objects of its logs. */
import { PACKAGE_PATHS } from '../../schemas/evidence-package.ts';
import { bundlePrefix, checkpointPrefix, LOG_ROOT, type Place } from '../chain/layout.ts';
import type { ArchiveObject } from './archive-object.ts';
import type { ArchiveSource } from './archive-source.ts';
import type { Findings, VerifyOptions } from './report.ts';

/** A log's objects. Numbers rise. `early` was listed before everything else, for archives that are being written to. */
export interface LogFiles {
  readonly log: string;
  readonly early: { readonly bundles: number[]; readonly checkpoints: number[] };
  readonly bundles: number[];
  readonly checkpoints: number[];
  /** Keys of payload objects. */
  readonly payloads: Set<string>;
  readonly hasGenesis: boolean;
}

export interface ArchiveFiles {
  readonly source: ArchiveSource;
  readonly logs: readonly LogFiles[];
  /** Whether there is what makes an evidence package instead. */
  readonly hasManifest: boolean;
}

const NAMES_PER_STEP = 1000;

/**
 * Lists everything. A writer adds payloads, then a bundle, then its checkpoint; listing them the other way round first
 * means that whatever an early list names is complete in the later one.
 */
export async function listArchive(
  source: ArchiveSource,
  { onProgress }: VerifyOptions,
  findings: Findings,
): Promise<ArchiveFiles> {
  const logs = new Map<string, LogFiles>();
  for (const log of await source.namesIn(LOG_ROOT)) {
    const checkpoints = await numbersIn(source, checkpointPrefix(log));
    const bundles = await numbersIn(source, bundlePrefix(log));
    const hasGenesis = (await source.namesIn(`${LOG_ROOT}${log}/`)).includes('genesis');
    logs.set(log, {
      hasGenesis,
      log,
      early: { bundles, checkpoints },
      bundles: [],
      checkpoints: [],
      payloads: new Set(),
    });
  }
  const hasManifest = (await source.namesIn('')).includes(PACKAGE_PATHS.manifest);
  let done = 0;
  for await (const { key, place } of source.walk(findings)) {
    if (place === undefined) findings.fail('file_unexpected', null, key);
    else sortIn(logs.get(place.log), key, place);
    done += 1;
    if (done % NAMES_PER_STEP === 0) onProgress?.({ step: 'names', done });
  }
  return { source, logs: [...logs.values()], hasManifest };
}

function sortIn(files: LogFiles | undefined, key: string, { folder, position = 0 }: Place): void {
  if (folder === 'facts' || folder === 'content') files?.payloads.add(key);
  else if (folder === 'bundle') files?.bundles.push(position);
  else if (folder === 'checkpoint') files?.checkpoints.push(position);
}

/** An object, or undefined if there is none; reports where it is not kept as it should be. */
export async function readObject(
  { source }: ArchiveFiles,
  key: string,
  index: number | null,
  findings: Findings,
): Promise<ArchiveObject | undefined> {
  const object = await source.read(key);
  if (object !== undefined) await source.checkLock(key, object, index, findings);
  return object;
}

async function numbersIn(source: ArchiveSource, folder: string): Promise<number[]> {
  const names = await source.namesIn(folder);
  return names
    .filter((name) => /^[0-9]{20}$/.test(name))
    .map(Number)
    .filter(Number.isSafeInteger);
}
