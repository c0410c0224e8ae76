/** A log read from its archive, for processes that do not write it. In: checkpoint objects. Out: the newest one. */
import type { Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { openCheckpoint } from '../chain/checkpoint.ts';
import { checkpointKey } from '../chain/layout.ts';
import { parseVkey } from '../chain/note.ts';
import type { Signer } from '../keys/signer.ts';
import { requireGenesis } from './genesis.ts';
import { readHead, type Head, type HeadOptions } from './head.ts';
import { bundleKeys, checkpointKeys, lastNumber, numbersAfter } from './numbered-keys.ts';
import type { PublishedCheckpoint, PublishedLog } from './published-log.ts';

interface ArchivedLogOptions {
  readonly log: string;
  readonly signer: Pick<Signer, 'name' | 'vkey'>;
  readonly archive: Archive;
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
  const genesis = await requireGenesis(archive, log);
  if (genesis.origin === origin) return { name: origin, vkey: genesis.vkey };
  throw new PipelineError('START_REFUSED', `log ${log} of the archive is ${genesis.origin}, not ${origin}`);
}

/** Where the newest bundle of a log ends. Rejects as recovery does where the bundle is doubtful. */
export async function readNewestHead(options: HeadOptions): Promise<Pick<Head, 'treeSize' | 'eventLog'>> {
  return readHead(options, await lastNumber(options.archive, bundleKeys(options.log)));
}

/** After a long pause the search from the end is cheaper than the list of all that came since. */
const MAX_LISTED = 1_000;
/** Largest age of an answer. */
const MAX_AGE_MS = 1_000;

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
    const { log, signer, archive, clock } = this.#options;
    const startedAtMs = clock();
    const size = await this.#newestSize();
    if (size !== undefined)
      this.#newest = await readCheckpoint(archive, checkpointKey(log, size), signer.vkey);
    this.#lookedAtMs = startedAtMs;
  }

  /** Undefined where there is none that is newer. */
  async #newestSize(): Promise<number | undefined> {
    const { log, archive } = this.#options;
    const keys = checkpointKeys(log);
    if (this.#newest === undefined) return lastNumber(archive, keys);
    let last: number | undefined;
    let looked = 0;
    for await (const size of numbersAfter(archive, keys, this.#newest.tree_size)) {
      last = size;
      looked += 1;
      if (looked === MAX_LISTED) return lastNumber(archive, keys);
    }
    return last;
  }
}

async function readCheckpoint(archive: Archive, key: string, vkey: string): Promise<PublishedCheckpoint> {
  const bytes = await archive.get(key);
  const note = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
  const logKey = parseVkey(vkey);
  const opened = logKey === undefined ? undefined : openCheckpoint(note, logKey);
  if (opened !== undefined) return { note, tree_size: opened.tree_size, root_hash: opened.root_hash };
  throw new PipelineError('ARCHIVE_DAMAGED', `checkpoint ${key} does not carry a good signature of its log`);
}
