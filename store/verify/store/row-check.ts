/**
 * Rows of the record store against the rows that follow from the archive. In: both, range by range in leaf order. Out:
 * failures and notices. Pure. Texts are compared as they are, because the store holds the very texts that were hashed.
 */
import { PART_KINDS, type PartKind } from '../../../schemas/bundle.ts';
import { StatedFacts, type Person } from '../../../schemas/record.ts';
import type { FailureCode } from '../../../schemas/verification-failures.ts';
import { saltThatOpens } from '../../chain/leaf.ts';
import { leafHash } from '../../chain/merkle.ts';
import type { Findings } from '../report.ts';
import type { StoredRow, StoredValue } from '../../records/queries/stored-rows.ts';
import { isStorableInstant } from '../../records/record-columns.ts';
import type { RecordRow } from '../../records/record-store.ts';

interface RowCheckOptions {
  /** Tree size of the newest published checkpoint: the rows below were written before it, so they must be there. */
  readonly signedSize: number;
  readonly findings: Findings;
}

/** A stored leaf that is not the one sealed at its index. */
interface MisplacedLeaf {
  readonly index: number;
  readonly sealedHash: string;
  readonly storedHash: string;
  /** The columns that differ, of those that the leaf is made of. */
  readonly columns: readonly string[];
}

/** Indexes without a row, [from, to). */
interface Gap {
  readonly from: number;
  to: number;
}

/** A report does not list more failures than this either. */
const MAX_MISPLACED = 1000;

/** Compares the rows of one log: `compare` for each range in leaf order, then `finish`. */
export class RowCheck {
  readonly #options: RowCheckOptions;
  readonly #misplaced: MisplacedLeaf[] = [];
  /** The gap that ends at the last compared index; undefined where that index has a row. */
  #gap: Gap | undefined;
  /** Rows without the content that was sealed. */
  readonly #absentContent = { count: 0, first: 0 };

  constructor(options: RowCheckOptions) {
    this.#options = options;
  }

  /** `stored` are all rows of the store in the range that `expected` covers, by rising index. */
  compare(expected: readonly RecordRow[], stored: readonly StoredRow[]): void {
    let next = 0;
    for (const sealed of expected) {
      const first = next;
      while (stored[next]?.leaf_index === sealed.leaf_index) next += 1;
      if (next > first) {
        this.#closeGap(false);
        this.#compareIndex(sealed, stored.slice(first, next));
      } else {
        this.#gap ??= { from: sealed.leaf_index, to: sealed.leaf_index };
        this.#gap.to = sealed.leaf_index + 1;
      }
    }
  }

  /** Hashes of stored leaves that were not sealed at their index, hex. `finish` asks where they were sealed. */
  misplacedHashes(): ReadonlySet<string> {
    return new Set(this.#misplaced.map(({ storedHash }) => storedHash));
  }

  /** Reports the findings that need the whole log. `sealedAt`: index by hash of misplaced leaves that the log has. */
  finish(sealedAt: ReadonlyMap<string, number>): void {
    const { findings } = this.#options;
    this.#closeGap(true);
    reportMisplaced(this.#misplaced, sealedAt, findings);
    const { count, first } = this.#absentContent;
    if (count === 0) return;
    const detail = `content of ${String(count)} rows was taken away; the archive was checked for it`;
    findings.notice('content_absent', first, detail);
  }

  #compareIndex(sealed: RecordRow, rows: readonly StoredRow[]): void {
    const { findings } = this.#options;
    const own = rows.filter(({ leaf }) => leaf === sealed.leaf);
    for (const row of rows) if (row.leaf !== sealed.leaf) this.#addMisplaced(sealed, row);
    if (own.length > 1)
      findings.fail('row_duplicated', sealed.leaf_index, `there are ${String(own.length)} rows or more`);
    for (const row of own) {
      compareRow(sealed, row, findings);
      if (row.content === '' && sealed.content !== '') this.#countAbsentContent(sealed.leaf_index);
    }
  }

  #addMisplaced(sealed: RecordRow, row: StoredRow): void {
    if (this.#misplaced.length >= MAX_MISPLACED) return;
    const storedHash = Buffer.from(leafHash(Buffer.from(row.leaf))).toString('hex');
    const { leaf_index: index, leaf_hash: sealedHash } = sealed;
    this.#misplaced.push({ index, sealedHash, storedHash, columns: editedLeafColumns(sealed, row) });
  }

  #countAbsentContent(index: number): void {
    if (this.#absentContent.count === 0) this.#absentContent.first = index;
    this.#absentContent.count += 1;
  }

  #closeGap(isEnd: boolean): void {
    if (this.#gap !== undefined) reportGap(this.#gap, isEnd, this.#options);
    this.#gap = undefined;
  }
}

/**
 * A checkpoint is published when the rows of its bundle are durable. So rows under a published checkpoint were in the
 * store once. Rows beyond it may not have been written yet; the next start inserts them.
 */
function reportGap({ from, to }: Gap, isEnd: boolean, { signedSize, findings }: RowCheckOptions): void {
  const detail = `rows ${String(from)} to ${String(to - 1)} are not in the record store`;
  if (from >= signedSize)
    findings.notice('store_lag', from, `${detail}; no published checkpoint covers them`);
  else if (isEnd) findings.fail('row_missing_at_end', from, detail);
  else findings.fail(from === 0 ? 'row_missing_at_start' : 'row_missing', from, detail);
}

function reportMisplaced(
  misplaced: readonly MisplacedLeaf[],
  sealedAt: ReadonlyMap<string, number>,
  findings: Findings,
): void {
  for (const { index, sealedHash, storedHash, columns } of misplaced) {
    const home = sealedAt.get(storedHash);
    const isSwapped = misplaced.some((other) => other.index === home && other.storedHash === sealedHash);
    const made = `its columns make a leaf that this log does not have: ${columns.join(', ')} changed`;
    if (home === undefined) findings.fail('row_leaf_edited', index, made);
    else if (!isSwapped) findings.fail('row_replayed', index, `it holds what was sealed at ${String(home)}`);
    else if (index < home) findings.fail('rows_swapped', index, `with the row of ${String(home)}`);
  }
}

function compareRow(expected: RecordRow, row: StoredRow, findings: Findings): void {
  const sealed = withKeptParts(expected, row);
  const fail = (code: FailureCode, what: string) => {
    findings.fail(code, sealed.leaf_index, `${what} is not what was sealed`);
  };
  if (row.chain_hash !== sealed.chain_hash) fail('row_chain_hash_edited', 'chain_hash');
  for (const kind of PART_KINDS) comparePart(kind, { sealed, row, fail });
  const columns = editedColumns(sealed, row);
  if (columns.length > 0) fail('row_column_edited', columns.join(', '));
}

/**
 * The expected row, with the parts that the row still holds although their key was destroyed: the leaf judges these. A
 * part that opens its leaf is what was sealed, and the key is not needed to see it.
 */
function withKeptParts(sealed: RecordRow, row: StoredRow): RecordRow {
  let expected = sealed;
  for (const kind of ['person', 'content'] as const) {
    const text = row[kind];
    const secret = row[`${kind}_secret`];
    if (sealed[kind] !== '' || typeof text !== 'string' || typeof secret !== 'string' || text === '')
      continue;
    if (saltThatOpens(sealed.leaf, { index: sealed.leaf_index, kind, text, secret }) === undefined) continue;
    const columns = kind === 'person' ? (JSON.parse(text) as Person) : {};
    expected = { ...expected, ...columns, [kind]: text, [`${kind}_secret`]: secret };
  }
  return expected;
}

interface ComparedRow {
  readonly sealed: RecordRow;
  readonly row: StoredRow;
  readonly fail: (code: FailureCode, what: string) => void;
}

function comparePart(kind: PartKind, { sealed, row, fail }: ComparedRow): void {
  const secret = `${kind}_secret` as const;
  // Content that was taken away leaves its columns empty, with or without the secret.
  const isAbsent = kind === 'content' && row.content === '';
  if (!isAbsent && row[kind] !== sealed[kind]) fail(`row_${kind}_edited`, kind);
  else if (row[secret] !== sealed[secret] && !(isAbsent && row[secret] === ''))
    fail('row_secret_edited', secret);
}

const LEAF_COLUMNS = [
  'id',
  'type',
  'source',
  'principal',
  'subject',
  'retention_class',
  'facts_digest',
  'person_digest',
  'content_digest',
] as const;
const FACTS_TYPES = Object.entries(
  StatedFacts.properties as Record<string, { readonly type?: string }>,
).filter(([name]) => name !== 'occurred_at');
const MILLISECOND_DIGITS = 3;
const NANOSECOND_DIGITS = 9;

/** Columns that make another leaf than the sealed one. */
function editedLeafColumns(sealed: RecordRow, row: StoredRow): string[] {
  const edited: string[] = LEAF_COLUMNS.filter((name) => row[name] !== sealed[name]);
  return isSameInstant('received_at', sealed, row) ? edited : [...edited, 'received_at'];
}

function isSameInstant(name: 'received_at' | 'integrated_at', sealed: RecordRow, row: StoredRow): boolean {
  return instantOf(row[name], MILLISECOND_DIGITS) === instantOf(sealed[name], MILLISECOND_DIGITS);
}

/** Columns that are derived from facts, person or header, and differ from these. */
function editedColumns(sealed: RecordRow, row: StoredRow): string[] {
  const edited = isSameInstant('integrated_at', sealed, row) ? [] : ['integrated_at'];
  const claimed = sealed.occurred_at;
  const isHeld = claimed !== undefined && isStorableInstant(claimed);
  if (
    instantOf(row['occurred_at'], NANOSECOND_DIGITS) !== instantOf(isHeld ? claimed : null, NANOSECOND_DIGITS)
  )
    edited.push('occurred_at');
  const facts: Readonly<Record<string, unknown>> = { ...sealed };
  for (const [name, { type }] of FACTS_TYPES) {
    if (JSON.stringify(row[name]) !== JSON.stringify(facts[name] ?? absentOf(type))) edited.push(name);
  }
  return edited;
}

/** An absent number or flag is NULL, an absent text '', an absent list empty. */
function absentOf(type: string | undefined): StoredValue {
  if (type === 'array') return [];
  return type === 'integer' || type === 'boolean' ? null : '';
}

/** The same text for the same instant, cut to the digits that the column holds; null where the text is not an instant. */
function instantOf(value: StoredValue | undefined, digits: number): string | null {
  const [, whole, fraction = ''] = /^([^.Z]*)(?:\.([0-9]*))?Z$/.exec(String(value)) ?? [];
  return whole === undefined ? null : `${whole}.${fraction.padEnd(digits, '0').slice(0, digits)}`;
}
