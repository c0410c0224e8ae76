/** A log read from its archive, for processes that do not write it. In: checkpoint objects. Out: the newest one. */
import { Value } from 'typebox/value';
import { LogGenesis } from '../../schemas/bundle.ts';
import type { Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { openCheckpoint } from '../chain/checkpoint.ts';
import { checkpointKey, checkpointPrefix, genesisKey } from '../chain/layout.ts';
import { parseVkey } from '../chain/note.ts';
import type { Signer } from '../keys/signer.ts';
import type { RecordStore } from '../records/record-store.ts';
import { readHead, type Head, type HeadOptions } from './head.ts';
import type { PublishedCheckpoint, PublishedLog } from './published-log.ts';
import { bundleStarts } from './sealed-bundles.ts';

interface ArchivedLogOptions {
  readonly log: string;
  readonly signer: Pick<Signer, 'name' | 'vkey'>;
  readonly archive: Archive;
  /** Asked once for the approximate size of the log, so that a long one need not be listed from its start. */
  readonly records: RecordStore;
  readonly clock: Clock;
}

/**
 * Name and public key of a log from its genesis, so that a process that only reads needs no signing key. Rejects with
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

/** Where the newest bundle of a log ends. Lists the whole log. Rejects as recovery does where the bundle is doubtful. */
export async function readNewestHead(options: HeadOptions): Promise<Pick<Head, 'treeSize' | 'eventLog'>> {
  const starts = await bundleStarts(options.archive, options.log);
  return readHead(options, starts.at(-1));
}

/** Largest age of an answer. */
const MAX_AGE_MS = 1_000;
/** The newest checkpoint is rarely further behind the rows than this. Where it is, the whole log is listed once. */
const LOOK_BACK_LEAVES = 1_000_000;

/**
 * Follows the checkpoints of a log. An answer may be a second old. Rejects with ARCHIVE_DAMAGED where the newest checkpoint
 * carries no good signature of the log.
 */
export function openArchivedLog(options: ArchivedLogOptions): PublishedLog {
  const newest = new NewestCheckpoint(options);
  return {
    log: options.log,
    origin: options.signer.name,
    vkey: options.signer.vkey,
    checkpoint: () => newest.get(),
  };
}

/** The newest checkpoint, read again when it is a second old. Each look lists only the keys behind the one before. */
class NewestCheckpoint {
  readonly #options: ArchivedLogOptions;
  #newest: PublishedCheckpoint | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** Set while a look is under way: all callers wait for the same one. */
  #looking: Promise<void> | undefined;

  constructor(options: ArchivedLogOptions) {
    this.#options = options;
  }

  async get(): Promise<PublishedCheckpoint | undefined> {
    if (Math.abs(this.#options.clock() - this.#lookedAtMs) < MAX_AGE_MS) return this.#newest;
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await this.#looking;
    return this.#newest;
  }

  async #look(): Promise<void> {
    const { signer, archive, clock } = this.#options;
    const startedAtMs = clock();
    const key = await this.#newestKey();
    if (key !== undefined) this.#newest = await readCheckpoint(archive, key, signer.vkey);
    this.#lookedAtMs = startedAtMs;
  }

  async #newestKey(): Promise<string | undefined> {
    const { log, archive, records } = this.#options;
    if (this.#newest !== undefined) return lastKey(archive, log, this.#newest.tree_size);
    const guess = await guessStart(records, log);
    return (await lastKey(archive, log, guess)) ?? (await lastKey(archive, log, undefined));
  }
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
