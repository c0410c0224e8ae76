/**
 * The ids that a log holds, as a projection in memory. In: bundles, and the rows of leaves that were sealed before the
 * start. Out: which ids are sealed already. The one invariant: an id counts as sealed only where a bundle of the archive
 * has it, because a record that counts as a repeat is not sealed.
 *
 * The table holds the leaves [base, size). For the leaves below `base` the rows are asked. `base` begins at `size` and moves
 * down to 0, newest leaves first, while sealing goes on.
 */
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import type { HeadOptions } from '../ledger/head.ts';
import type { ProjectedBundle, Projection } from '../ledger/projection.ts';
import { idBitsOf, idBitsOfLeaves, idsBelow } from '../records/queries/seen-ids.ts';
import type { ReadLimits, RecordStore } from '../records/record-store.ts';
import { IdTable } from './id-table.ts';
import { SealedIds } from './sealed-ids.ts';

export interface SeenIdsOptions extends HeadOptions {
  /** Holds the rows of all leaves below the size that it says. */
  readonly records: Pick<RecordStore, 'read' | 'size'>;
  /** Resolves after so many milliseconds or when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

export interface SeenIdsProjection extends Projection {
  /** The port `SeenIds` of `ingest/seen-ids.ts`. */
  has(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Resolves when the table holds all leaves, or when the projection was closed. */
  filled(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Leaves that one query reads. It holds an engine in process for tens of milliseconds. */
const LEAVES_PER_READ = 100_000;
/** Ids that travel with one query. */
const IDS_PER_QUERY = 2_000;
/** The wait before a failed read of the filling is tried again. */
const RETRY_MS = 1_000;
/** Wide: a query reads the ids of a log of any length. */
const LIMITS: ReadLimits = { maxExecutionMs: 60_000, maxRowsToRead: 100_000_000_000 };
const HEX_ID = /^[0-9a-f]{64}$/;

/** Begins with all leaves that the record store holds now. The ledger applies the bundles behind them. */
export async function openSeenIds(options: SeenIdsOptions): Promise<SeenIdsProjection> {
  const seen = new SeenIds(options, await options.records.size(options.log));
  const closing = new AbortController();
  const filling = seen.fill(closing.signal);
  return {
    name: 'seen ids',
    version: 1,
    stage: 'sealing',
    size: () => Promise.resolve(seen.size),
    apply: async (bundles) => {
      for (const bundle of bundles) await seen.apply(bundle);
    },
    clear: () => seen.clear(),
    has: (ids) => seen.has(ids),
    filled: () => filling,
    async close() {
      closing.abort();
      await filling;
    },
  };
}

/** An id, and an index where its leaf may be. */
interface Candidate {
  readonly id: string;
  readonly leafIndex: number;
}

class SeenIds {
  readonly #options: SeenIdsOptions;
  readonly #sealed: SealedIds;
  #table = new IdTable();
  #base: number;
  #size: number;
  /** Set by the filling while rows that it needs are missing; then the rows cannot answer for the leaves below `#base`. */
  #missing: PipelineError | undefined;

  constructor(options: SeenIdsOptions, size: number) {
    this.#options = options;
    this.#sealed = new SealedIds(options);
    this.#base = size;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  apply({ start_index, tree_size, ids }: ProjectedBundle): Promise<void> {
    if (start_index > this.#size) {
      const detail = `seen ids end at ${String(this.#size)}, the bundle begins at ${String(start_index)}`;
      return Promise.reject(new PipelineError('INTERNAL', detail));
    }
    for (let leafIndex = this.#size; leafIndex < tree_size; leafIndex += 1) {
      this.#table.add(idBitsOf(checked(ids[leafIndex - start_index])), leafIndex);
    }
    this.#size = Math.max(this.#size, tree_size);
    this.#sealed.hold(start_index, ids);
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.#table = new IdTable();
    this.#base = 0;
    this.#size = 0;
    return Promise.resolve();
  }

  async has(ids: readonly string[]): Promise<ReadonlySet<string>> {
    // Leaves that the filling adds from here on are below this base, so the rows are asked for them.
    const base = this.#base;
    const asked = [...new Set(ids)];
    const seen = await this.#confirm(
      asked.flatMap((id) => this.#table.find(idBitsOf(checked(id))).map((leafIndex) => ({ id, leafIndex }))),
    );
    if (base === 0) return seen;
    // The caller recovers, which inserts these rows again.
    if (this.#missing !== undefined) throw this.#missing;
    const others = asked.filter((id) => !seen.has(id));
    const older = await this.#confirm(await this.#findInRows(others, base));
    return new Set([...seen, ...older]);
  }

  /**
   * Ids whose leaf in the archive is the one that was found. Neither 40 bits nor a row prove that. Throws ARCHIVE_DAMAGED
   * where the archive lacks the leaf: then nobody knows whether its id is sealed.
   */
  async #confirm(candidates: readonly Candidate[]): Promise<Set<string>> {
    const confirmed = new Set<string>();
    for (const { id, leafIndex } of candidates) {
      const sealedId = await this.#sealed.idAt(leafIndex);
      if (sealedId === undefined) {
        const detail = `leaf ${String(leafIndex)} of ${this.#options.log} is in no bundle of the archive`;
        throw new PipelineError('ARCHIVE_DAMAGED', detail);
      }
      if (sealedId === id) confirmed.add(id);
    }
    return confirmed;
  }

  async #findInRows(ids: readonly string[], base: number): Promise<Candidate[]> {
    const { log, records } = this.#options;
    const found: Candidate[] = [];
    for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
      const portion = ids.slice(from, from + IDS_PER_QUERY);
      const [answer] = await records.read(idsBelow({ log, ids: portion, below_index: base }), LIMITS);
      const missing = missingRows(log, answer?.row_count ?? 0, base);
      if (missing !== undefined) throw missing;
      for (const [id, leafIndex] of answer?.found ?? []) found.push({ id, leafIndex });
    }
    return found;
  }

  /** Never rejects. */
  async fill(signal: AbortSignal): Promise<void> {
    const { log, logger, sleep } = this.#options;
    const startedAtMs = performance.now();
    const leaves = this.#base;
    while (this.#base > 0 && !signal.aborted) {
      try {
        await this.#fillOnce();
      } catch (error) {
        const code = error instanceof PipelineError ? error.code : 'INTERNAL';
        logger.warn({ log, code, base: this.#base }, 'seen ids are not filled further, will retry');
        await sleep(RETRY_MS, signal);
      }
    }
    if (signal.aborted || leaves === 0) return;
    const ms = Math.round(performance.now() - startedAtMs);
    logger.info({ log, leaves, ms, bytes: this.#table.sizeBytes }, 'seen ids are filled');
  }

  async #fillOnce(): Promise<void> {
    const { log, records } = this.#options;
    const to_index = this.#base;
    const from_index = Math.max(0, to_index - LEAVES_PER_READ);
    const [read] = await records.read(idBitsOfLeaves({ log, from_index, to_index }), LIMITS);
    this.#missing = missingRows(log, read?.id_bits.length ?? 0, to_index - from_index);
    if (this.#missing !== undefined) throw this.#missing;
    // `clear` may have come in between.
    if (read === undefined || this.#base !== to_index) return;
    for (const [position, bits] of read.id_bits.entries()) this.#table.add(bits, from_index + position);
    this.#base = from_index;
  }
}

/** Rows that are missing hide their ids. Recovery inserts them again. */
function missingRows(log: string, found: number, expected: number): PipelineError | undefined {
  if (found >= expected) return undefined;
  const detail = `the record store has ${String(found)} of ${String(expected)} rows of ${log} that seen ids are read from`;
  return new PipelineError('STORE_UNAVAILABLE', detail);
}

/** Throws RangeError for anything but 64 lower-case hex digits: this program makes all ids. */
function checked(id: string | undefined): string {
  if (id !== undefined && HEX_ID.test(id)) return id;
  throw new RangeError('a record id has 64 lower-case hex digits');
}
