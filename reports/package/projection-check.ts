import { Facts, Person } from '../../schemas/record.ts';
import type { Query } from '../../store/records/record-store.ts';

/** The first difference between a row of the record store and its leaf. */
export interface DivergedRow {
  readonly leaf_index: number;
  readonly what: string;
}

/** The engine holds instants in 64 bits; an instant outside of that range is in the facts only. */
const SEALED_OCCURRED_AT = `parseDateTime64BestEffortOrNull(JSONExtractString(facts, 'occurred_at'), 9, 'UTC')`;

/** The day of the sealed instant as text; '' where the facts claim none. */
const SEALED_DAY = `substring(JSONExtractString(facts, 'occurred_at'), 1, 10)`;
/** Whether the column can hold the sealed instant: `isStorableInstant` of record-columns.ts in SQL. */
const IS_STORABLE = `(${SEALED_DAY} >= '1900' AND ${SEALED_DAY} < '2262' AND ifNull(toString(toDate32OrNull(${SEALED_DAY})) = ${SEALED_DAY}, false))`;

/**
 * First row of [from_index, to_index) whose parts are not what its leaf commits to, or whose columns are not those of its
 * parts, or no row. Populations are drawn from columns, so each column is compared with the sealed facts. Absent content
 * ('') is not a difference. Formats: docs/formats/record.md and store/chain/part.ts.
 */
export function firstDivergedRow(params: {
  readonly log: string;
  readonly from_index: number;
  readonly to_index: number;
}): Query<DivergedRow> {
  const branches = CHECKS.map(([what, holds]) => `NOT ifNull(${holds}, false), '${what}'`);
  return {
    name: 'first_diverged_row',
    sql: `SELECT leaf_index, multiIf(${branches.join(',\n    ')}, '') AS what
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
  AND what != ''
ORDER BY leaf_index
LIMIT 1`,
    params: { log: params.log, from_index: params.from_index, to_index: params.to_index },
  };
}

const CHECKS: readonly (readonly [what: string, holds: string])[] = [
  ['facts', isSealed('facts')],
  // A row without its person would hide who acted, so the leaf must name none either.
  ['person', `if(person = '', person_secret = '' AND person_digest = '', ${isSealed('person')})`],
  // Content may have been taken away, with its secret or without.
  [
    'content',
    `if(content = '', content_secret = '' OR (content_digest != '' AND ${isExactSecret('content')}), ${isSealed('content')})`,
  ],
  ['occurred_at', `if(occurred_at IS NULL, NOT ${IS_STORABLE}, occurred_at = ${SEALED_OCCURRED_AT})`],
  ['a column of the facts', columnsHold('facts', Facts.properties as Members)],
  ['a column of the person', columnsHold('person', Person.properties)],
];

/** Whether the digest of a part in the row is the one that the leaf names. */
function isSealed(name: string): string {
  return `${isExactSecret(name)} AND ${name}_digest = ${digestOfPart(name)}`;
}

/**
 * Whether a secret is 32 bytes in their one spelling. HMAC pads a key with zeros and the decoder passes over padding, so
 * other texts would lead to the same digest.
 */
function isExactSecret(name: string): string {
  const secret = `${name}_secret`;
  return `length(${secret}) = 43 AND base64URLEncode(tryBase64URLDecode(${secret})) = ${secret}`;
}

/** The digest of a part as store/chain/part.ts defines it. */
function digestOfPart(name: string): string {
  const salt = `base64URLEncode(HMAC('SHA256', concat(toString(leaf_index), ' ${name}'), tryBase64URLDecode(${name}_secret)))`;
  const line = `concat('{"index":', toString(leaf_index), ',"name":"${name}","part":', ${name}, ',"salt":"', ${salt}, '"}')`;
  return `base64URLEncode(SHA256(${line}))`;
}

/** Members of a part with their types in JSON Schema. */
type Members = Readonly<Record<string, { readonly type?: string }>>;

/** All members of a part against their columns, with one parse of the text. */
function columnsHold(part: string, properties: Members): string {
  const members = Object.entries(properties).filter(([name]) => name !== 'occurred_at');
  const types = members.map(([name, { type }]) => `${name} ${engineType(type)}`);
  const columns = members.map(([name, { type }]) => `CAST(${name}, '${engineType(type)}')`);
  // As text, because NULL equals NULL there.
  return `toString(JSONExtract(${part}, 'Tuple(${types.join(', ')})')) = toString(tuple(${columns.join(', ')}))`;
}

/** Members without a plain type are unions of texts. */
function engineType(type: string | undefined): string {
  if (type === 'integer') return 'Nullable(UInt64)';
  if (type === 'array') return 'Array(String)';
  return type === 'boolean' ? 'Nullable(Bool)' : 'String';
}
