import type { Facts, Person } from '../../schemas/record.ts';
import type { JsonValue } from '../../schemas/json.ts';

/**
 * One row of the `records` table: the leaf, its place in the log, and its parts as canonical JSON text with the secrets
 * that their salts follow from and the digests that the leaf names. `leaf` and `leaf_hash` are not inserted: queries
 * make them of the other members (`queries/leaf-sql.ts`). The members of `facts` and `person` travel beside them under their own names (see `toRow`), so that
 * columns are filled without a mapping. Columns of a part are '' where a record has none.
 */
export interface RecordRow extends Omit<Facts, never>, Omit<Person, never> {
  readonly log: string;
  readonly leaf_index: number;
  readonly leaf_hash: string;
  readonly chain_hash: string;
  readonly leaf: string;
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly principal: string;
  readonly subject: string;
  readonly retention_class: string;
  readonly received_at: string;
  readonly integrated_at: string;
  readonly facts: string;
  readonly facts_secret: string;
  readonly facts_digest: string;
  readonly person: string;
  readonly person_secret: string;
  readonly person_digest: string;
  readonly content: string;
  readonly content_secret: string;
  readonly content_digest: string;
}

/** A parameterised SELECT. `params` fill `{name: Type}` placeholders; values never enter the text. */
export interface Query<Row> {
  readonly name: string;
  readonly sql: string;
  readonly params: Readonly<Record<string, JsonValue>>;
  /** Phantom: carries the row type, never set. */
  readonly row?: Row;
}

/** Where the rows of one log end: the index after the last one. */
export interface StoredEnd {
  readonly log: string;
  readonly next_index: number;
}

/** Rejects where the rows of the store must stay. `storedEnds` asks the store. */
export type BeforeDrop = (storedEnds: () => Promise<readonly StoredEnd[]>) => Promise<void>;

/** Bounds of one read, so that a single query cannot block the store. */
export interface ReadLimits {
  readonly maxExecutionMs?: number;
  readonly maxRowsToRead?: number;
}

/** PORT: the version that filled each projection of a record store. A note is as durable as the rows. */
export interface ProjectionVersions {
  /** Undefined where nothing was noted since the store was made or cleared. */
  noted(name: string): Promise<number | undefined>;
  /** Notes a version that is higher than the one before. */
  note(name: string, version: number): Promise<void>;
}

/**
 * PORT: the queryable projection of the log. Everything in it can be recreated from the archive.
 *
 * - `insert` appends the rows of consecutive bundles in leaf order. It is idempotent by `token` (the key of the last
 *   bundle, with a mark where there are several) and by position: rows below `size(log)` are never written twice. Rows are durable and visible when it resolves. Where rows
 *   before them are missing, as in a store that was restored from an older copy, it throws STORE_UNAVAILABLE: recovery
 *   inserts those from the archive first.
 * - `size` is the number of rows of one log, which equals the next leaf index.
 * - `read` runs one SELECT under limits; exceeding a limit throws QUERY_LIMIT. 64-bit integers come back as numbers
 *   where they are safe, instants as RFC 3339 text in UTC.
 * - `clear` empties the projection and forgets what was noted in `versions`.
 * - Where the engine does not answer, all methods throw STORE_UNAVAILABLE (retry later).
 */
export interface RecordStore {
  readonly versions: ProjectionVersions;
  insert(log: string, rows: readonly RecordRow[], token: string): Promise<void>;
  size(log: string): Promise<number>;
  read<Row>(query: Query<Row>, limits?: ReadLimits): Promise<Row[]>;
  clear(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
