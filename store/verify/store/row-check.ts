/**
 * Rows of the record store against the rows that the archive makes. In: both, range by range in leaf order. Out:
 * failures and notices. Pure. Rows are compared text by text, because what is stored is what was hashed.
 */
import { Facts } from '../../../schemas/record.ts';
import type { FailureCode } from '../../../schemas/verification.ts';
import { leafHash } from '../../chain/merkle.ts';
import type { Findings } from '../report.ts';
import type { StoredRow, StoredValue } from '../../records/queries/stored-rows.ts';
import { isStorableInstant } from '../../records/record-columns.ts';
import type { RecordRow } from '../../records/record-store.ts';

export interface RowCheckOptions {
  /** Size of the newest published checkpoint: rows below were written before it was, so they must be there. */
  readonly signedSize: number;
  readonly findings: Findings;
}

export interface RowCheck {
  /** `stored` are all rows of the store in the range that `expected` covers, by rising index. */
  compare(expected: readonly RecordRow[], stored: readonly StoredRow[]): void;
  /** Hashes of leaves that stand where they do not belong, hex; where each was sealed is for `finish` to be told. */
  strangers(): ReadonlySet<string>;
  /** Reports what needs the whole log. `sealedAt` tells the index of each stranger that is a leaf of the log. */
  finish(sealedAt: ReadonlyMap<string, number>): void;
}

/** A stored leaf that is not the one sealed at its index. */
interface Stranger {
  readonly index: number;
  readonly sealedHash: string;
  readonly storedHash: string;
}

interface Gap {
  readonly from: number;
  to: number;
}

/** A report lists no more failures than this either. */
const MAX_STRANGERS = 1000;

export function createRowCheck({ signedSize, findings }: RowCheckOptions): RowCheck {
  const strangers: Stranger[] = [];
  let size = 0;
  let gap: Gap | undefined;
  const absent = { count: 0, first: 0 };

  const closeGap = (isEnd: boolean) => {
    if (gap !== undefined) reportGap(gap, { isEnd, signedSize, findings });
    gap = undefined;
  };

  const compareIndex = (sealed: RecordRow, rows: readonly StoredRow[]) => {
    const own = rows.filter(({ leaf }) => leaf === sealed.leaf);
    for (const { leaf } of rows) {
      if (leaf === sealed.leaf || strangers.length >= MAX_STRANGERS) continue;
      const storedHash = Buffer.from(leafHash(Buffer.from(leaf))).toString('hex');
      strangers.push({ index: sealed.leaf_index, sealedHash: sealed.leaf_hash, storedHash });
    }
    if (own.length > 1)
      findings.fail('row_duplicated', sealed.leaf_index, `there are ${String(own.length)} rows or more`);
    for (const row of own) {
      compareRow(sealed, row, findings);
      if (row.content !== '' || sealed.content === '') continue;
      if (absent.count === 0) absent.first = sealed.leaf_index;
      absent.count += 1;
    }
  };

  return {
    compare(expected, stored) {
      let next = 0;
      for (const sealed of expected) {
        const first = next;
        while (stored[next]?.leaf_index === sealed.leaf_index) next += 1;
        size = sealed.leaf_index + 1;
        if (next > first) {
          closeGap(false);
          compareIndex(sealed, stored.slice(first, next));
        } else if (gap === undefined) gap = { from: sealed.leaf_index, to: size };
        else gap.to = size;
      }
    },
    strangers: () => new Set(strangers.map(({ storedHash }) => storedHash)),
    finish(sealedAt) {
      closeGap(true);
      reportStrangers(strangers, sealedAt, findings);
      if (absent.count > 0) {
        const detail = `content of ${String(absent.count)} rows was taken away; the archive was checked for it`;
        findings.notice('content_absent', absent.first, detail);
      }
    },
  };
}

/**
 * A checkpoint is published when the rows of its bundle are durable. So rows that a published checkpoint covers were
 * there once; those beyond may never have been, and the next start brings them.
 */
function reportGap(
  { from, to }: Gap,
  { isEnd, signedSize, findings }: RowCheckOptions & { readonly isEnd: boolean },
): void {
  const detail = `rows ${String(from)} to ${String(to - 1)} are not in the record store`;
  if (from >= signedSize)
    findings.notice('store_lag', from, `${detail}; no published checkpoint covers them`);
  else if (isEnd) findings.fail('row_missing_at_end', from, detail);
  else findings.fail(from === 0 ? 'row_missing_at_start' : 'row_missing', from, detail);
}

function reportStrangers(
  strangers: readonly Stranger[],
  sealedAt: ReadonlyMap<string, number>,
  findings: Findings,
): void {
  for (const { index, sealedHash, storedHash } of strangers) {
    const home = sealedAt.get(storedHash);
    const isSwapped = strangers.some((other) => other.index === home && other.storedHash === sealedHash);
    if (home === undefined) findings.fail('row_leaf_edited', index, 'its leaf is no leaf of this log');
    else if (!isSwapped) findings.fail('row_replayed', index, `it holds what was sealed at ${String(home)}`);
    else if (index < home) findings.fail('rows_swapped', index, `with the row of ${String(home)}`);
  }
}

function compareRow(sealed: RecordRow, row: StoredRow, findings: Findings): void {
  const fail = (code: FailureCode, what: string) => {
    findings.fail(code, sealed.leaf_index, `${what} is not what was sealed`);
  };
  if (row.leaf_hash !== sealed.leaf_hash) fail('row_leaf_hash_edited', 'leaf_hash');
  if (row.chain_hash !== sealed.chain_hash) fail('row_chain_hash_edited', 'chain_hash');
  if (row.facts !== sealed.facts) fail('row_facts_edited', 'facts');
  else if (row.facts_salt !== sealed.facts_salt) fail('row_salt_edited', 'facts_salt');
  // Content that was taken away leaves its columns empty; the salt dies with it, or is of no use any more.
  const isAbsent = row.content === '';
  if (!isAbsent && row.content !== sealed.content) fail('row_content_edited', 'content');
  else if (row.content_salt !== sealed.content_salt && !(isAbsent && row.content_salt === ''))
    fail('row_salt_edited', 'content_salt');
  const columns = editedColumns(sealed, row);
  if (columns.length > 0) fail('row_column_edited', columns.join(', '));
}

const LEAF_COLUMNS = ['id', 'type', 'source', 'principal', 'subject', 'retention_class'] as const;
const FACTS_TYPES = Object.entries(Facts.properties as Record<string, { readonly type?: string }>).filter(
  ([name]) => name !== 'occurred_at',
);
const MILLISECOND_DIGITS = 3;
const NANOSECOND_DIGITS = 9;

/** Columns that are derived from leaf, facts or header, and say something else than these. */
function editedColumns(sealed: RecordRow, row: StoredRow): string[] {
  const edited: string[] = LEAF_COLUMNS.filter((name) => row[name] !== sealed[name]);
  for (const name of ['received_at', 'integrated_at'] as const) {
    if (instantOf(row[name], MILLISECOND_DIGITS) !== instantOf(sealed[name], MILLISECOND_DIGITS))
      edited.push(name);
  }
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

/** Same text for the same instant, cut to the digits that the column holds; null for no instant. */
function instantOf(value: StoredValue | undefined, digits: number): string | null {
  const [, whole, fraction = ''] = /^([^.Z]*)(?:\.([0-9]*))?Z$/.exec(String(value)) ?? [];
  return whole === undefined ? null : `${whole}.${fraction.padEnd(digits, '0').slice(0, digits)}`;
}
