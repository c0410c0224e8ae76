/**
 * The keys of a log, read from its archive: its genesis and the bundles that changed the key. In: an archive and a bundle.
 * Out: their history. The one invariant: each change of key is judged by the key before it.
 */
import type { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { keysAfter, keysOfGenesis, judgeHeader, type KeyHistory } from '../chain/key-history.ts';
import { bundleKey, genesisKey } from '../chain/layout.ts';
import { requireGenesis } from './genesis.ts';
import { readHeaderAndLeaves } from './sealed-bundles.ts';

export interface KeyedLog {
  readonly archive: Archive;
  readonly log: string;
  /** Where the caller has read it. */
  readonly genesis?: LogGenesis | undefined;
}

/**
 * Recovery finishes unfinished bundles, so it must not take a forged bundle for one: a writer to the archive without the
 * key of the log cannot sign the header, and the holder of an earlier key cannot go on behind its term. Throws
 * START_REFUSED.
 */
export function requireSigned(keys: KeyHistory, key: string, header: BundleHeader): void {
  const { isSigned, problem } = judgeHeader(keys, header);
  if (!isSigned) {
    throw new PipelineError(
      'START_REFUSED',
      `bundle ${key} does not carry a signature of this log's key: somebody else wrote or changed it`,
    );
  }
  if (problem !== undefined) throw new PipelineError('START_REFUSED', `bundle ${key} ${problem}`);
}

/**
 * The keys of the log up to a bundle, which are found from bundle to bundle that changed the key, back to the genesis.
 * Throws START_REFUSED where one of them does not follow from the key before it. The bundle itself is not judged.
 */
export async function readKeysBefore(
  keyed: KeyedLog,
  { start_index, rotated_at }: Pick<BundleHeader, 'start_index' | 'rotated_at'>,
): Promise<KeyHistory> {
  const { archive, log } = keyed;
  const changes: BundleHeader[] = [];
  let behind = start_index;
  for (let start = rotated_at; start !== undefined; start = changes[0]?.rotated_at) {
    const header = start < behind ? await readChange(archive, bundleKey(log, start)) : undefined;
    if (header === undefined) {
      const detail = `the bundle of ${log} at ${String(behind)} says that the bundle at ${String(start)} named its key, and that one names none`;
      throw new PipelineError('START_REFUSED', detail);
    }
    changes.unshift(header);
    behind = start;
  }
  let keys = await readFirstKey(keyed);
  for (const header of changes) {
    requireSigned(keys, bundleKey(log, header.start_index), header);
    keys = keysAfter(keys, header);
  }
  return keys;
}

/** The history of a log without bundles. */
export async function readFirstKey({ archive, log, genesis }: KeyedLog): Promise<KeyHistory> {
  const keys = keysOfGenesis(genesis ?? (await requireGenesis(archive, log)));
  if (keys !== undefined) return keys;
  throw new PipelineError('ARCHIVE_DAMAGED', `${genesisKey(log)} names no Ed25519 key`);
}

/** Undefined for a bundle that does not change the key. */
async function readChange(archive: Archive, key: string): Promise<BundleHeader | undefined> {
  const { header } = await readHeaderAndLeaves(archive, key);
  return header.next_vkey === undefined ? undefined : header;
}
