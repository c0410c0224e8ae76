/** A log read from its archive, for processes that do not write it. In: checkpoint objects. Out: the newest one. */
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { currentTerm, openCheckpointOf, termsOfCheckpoint, type KeyHistory } from '../chain/key-history.ts';
import { bundleKey, checkpointKey } from '../chain/layout.ts';
import { requireGenesis } from './genesis.ts';
import { readNewestHead, type Head } from './head.ts';
import { checkpointKeys, lastNumber, numbersAfter } from './numbered-keys.ts';
import type { PublishedCheckpoint, PublishedLog } from './published-log.ts';
import { readHeaderAndLeaves } from './sealed-bundles.ts';

/** Name and public keys of a log, so that a process that only reads needs no signing key. */
export interface LogKeys {
  readonly origin: string;
  readonly keys: KeyHistory;
}

interface ArchivedLogOptions extends LogKeys {
  readonly log: string;
  readonly archive: Archive;
  readonly clock: Clock;
}

/**
 * The newest head of a log from its archive. Rejects with START_REFUSED where the archive does not hold a log of this name,
 * and as recovery does where its newest bundle is doubtful.
 */
export async function readLogHead(archive: Archive, log: string, origin: string): Promise<Head> {
  const genesis = await requireGenesis(archive, log);
  if (genesis.origin !== origin)
    throw new PipelineError('START_REFUSED', `log ${log} of the archive is ${genesis.origin}, not ${origin}`);
  return readNewestHead({ archive, log, genesis });
}

/** The keys of a log from its archive. Rejects as `readLogHead` does. */
export async function readLogKeys(archive: Archive, log: string, origin: string): Promise<LogKeys> {
  return { origin, keys: (await readLogHead(archive, log, origin)).keys };
}

/** The headers of the bundles that changed the key of a log, in order. Rejects as recovery does where one is doubtful. */
export async function readKeyChanges(archive: Archive, log: string): Promise<BundleHeader[]> {
  const { keys } = await readNewestHead({ archive, log });
  const places = keys.flatMap(({ rotatedAt }) => (rotatedAt === undefined ? [] : [rotatedAt]));
  const bundles = places.map((start) => readHeaderAndLeaves(archive, bundleKey(log, start)));
  return (await Promise.all(bundles)).map(({ header }) => header);
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
    origin: options.origin,
    get vkey() {
      return newest.vkey();
    },
    checkpoint: () => newest.get(),
  };
}

/** The newest checkpoint, read again when it is a second old. Each look lists only the keys behind the one before. */
class NewestCheckpoint {
  readonly #options: ArchivedLogOptions;
  #keys: KeyHistory;
  #newest: PublishedCheckpoint | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** Set while a look is under way: all callers wait for the same one. */
  #looking: Promise<void> | undefined;

  constructor(options: ArchivedLogOptions) {
    this.#options = options;
    this.#keys = options.keys;
  }

  /** The last key that signed the newest checkpoint; before the first one, the current key. */
  vkey(): string {
    if (this.#newest === undefined) return currentTerm(this.#keys).vkey;
    const [first, second] = termsOfCheckpoint(this.#keys, this.#newest.tree_size);
    return (second ?? first).vkey;
  }

  async get(): Promise<PublishedCheckpoint | undefined> {
    if (Math.abs(this.#options.clock() - this.#lookedAtMs) < MAX_AGE_MS) return this.#newest;
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await this.#looking;
    return this.#newest;
  }

  async #look(): Promise<void> {
    const startedAtMs = this.#options.clock();
    const size = await this.#newestSize();
    if (size !== undefined) this.#newest = await this.#read(size);
    this.#lookedAtMs = startedAtMs;
  }

  /** Another process may have changed the key since the keys were read, so a note that does not open asks for them again. */
  async #read(size: number): Promise<PublishedCheckpoint> {
    const { log, origin, archive } = this.#options;
    const key = checkpointKey(log, size);
    const bytes = await archive.get(key);
    const note = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
    const known = openCheckpointOf(this.#keys, note);
    if (known === undefined) this.#keys = (await readLogKeys(archive, log, origin)).keys;
    const opened = known ?? openCheckpointOf(this.#keys, note);
    if (opened !== undefined) return { note, tree_size: opened.tree_size, root_hash: opened.root_hash };
    throw new PipelineError(
      'ARCHIVE_DAMAGED',
      `checkpoint ${key} does not carry a good signature of its log`,
    );
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
