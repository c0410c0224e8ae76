/** A log as its archive tells it, for processes that do not write it. In: checkpoint objects. Out: the newest one. */
import { Value } from 'typebox/value';
import { LogGenesis } from '../../schemas/bundle.ts';
import type { Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { openCheckpoint } from '../chain/checkpoint.ts';
import { checkpointKey, checkpointPrefix, genesisKey } from '../chain/layout.ts';
import { parseVkey } from '../chain/note.ts';
import type { PublishedCheckpoint, PublishedLog } from './published-log.ts';
import type { RecordStore } from '../records/record-store.ts';
import type { Signer } from '../keys/signer.ts';

export interface ArchivedLogOptions {
  readonly log: string;
  readonly signer: Pick<Signer, 'name' | 'vkey'>;
  readonly archive: Archive;
  /** Asked once how long the log is about, so that a long one need not be listed from its start. */
  readonly records: RecordStore;
  readonly clock: Clock;
}

/**
 * Name and public key of a log as its genesis tells them, so that who only reads needs no signing key. Rejects with
 * START_REFUSED where the archive does not hold a log of this name.
 */
export async function readLogKey(
  archive: Archive,
  log: string,
  origin: string,
): Promise<Pick<Signer, 'name' | 'vkey'>> {
  const bytes = await archive.get(genesisKey(log));
  if (bytes === undefined) throw new PipelineError('START_REFUSED', `log ${log} is not in the archive`);
  const genesis = Value.Parse(LogGenesis, JSON.parse(Buffer.from(bytes).toString('utf8')));
  if (genesis.origin === origin) return { name: origin, vkey: genesis.vkey };
  throw new PipelineError('START_REFUSED', `log ${log} of the archive is ${genesis.origin}, not ${origin}`);
}

/** How old an answer may be. */
const MAX_AGE_MS = 1_000;
/** The newest checkpoint is hardly further behind the rows than this; where it is, the whole log is listed once. */
const LOOK_BACK_LEAVES = 1_000_000;

/**
 * Follows the checkpoints of a log: each look lists only what came since the one before. An answer may be a second old.
 * Rejects with ARCHIVE_DAMAGED where the newest checkpoint carries no good signature of the log.
 */
export function openArchivedLog({ log, signer, archive, records, clock }: ArchivedLogOptions): PublishedLog {
  let newest: PublishedCheckpoint | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;

  const look = async () => {
    const startedAtMs = clock();
    const after = newest === undefined ? await guessStart(records, log) : newest.tree_size;
    const key =
      (await lastKey(archive, log, after)) ??
      (newest === undefined ? await lastKey(archive, log, undefined) : undefined);
    if (key !== undefined) newest = await readCheckpoint(archive, key, signer.vkey);
    lookedAtMs = startedAtMs;
  };
  return {
    log,
    origin: signer.name,
    vkey: signer.vkey,
    async checkpoint() {
      if (Math.abs(clock() - lookedAtMs) < MAX_AGE_MS) return newest;
      looking ??= look().finally(() => (looking = undefined));
      await looking;
      return newest;
    },
  };
}

async function guessStart(records: RecordStore, log: string): Promise<number> {
  return Math.max(0, (await records.size(log)) - LOOK_BACK_LEAVES);
}

async function lastKey(archive: Archive, log: string, size: number | undefined): Promise<string | undefined> {
  let last: string | undefined;
  const after = size === undefined ? undefined : checkpointKey(log, size);
  for await (const key of archive.list(checkpointPrefix(log), after)) last = key;
  return last;
}

async function readCheckpoint(archive: Archive, key: string, vkey: string): Promise<PublishedCheckpoint> {
  const bytes = await archive.get(key);
  const note = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
  const logKey = parseVkey(vkey);
  const opened = logKey === undefined ? undefined : openCheckpoint(note, logKey);
  if (opened !== undefined) return { note, tree_size: opened.tree_size, root_hash: opened.root_hash };
  throw new PipelineError('ARCHIVE_DAMAGED', `checkpoint ${key} does not carry a good signature of its log`);
}
