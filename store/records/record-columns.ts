/** The columns of the `records` table: their order, and the range of the column for claimed instants. Pure. */
import { StatedFacts, type Facts, type Person } from '../../schemas/record.ts';
import type { RecordRow } from './record-store.ts';

/** The members of a row that are neither facts nor of the person. */
const OWN_COLUMNS = [
  'log',
  'leaf_index',
  'chain_hash',
  'id',
  'type',
  'source',
  'principal',
  'subject',
  'retention_class',
  'received_at',
  'integrated_at',
  'facts',
  'facts_secret',
  'facts_digest',
  'person',
  'person_secret',
  'person_digest',
  'content',
  'content_secret',
  'content_digest',
] as const satisfies readonly Exclude<keyof RecordRow, keyof Facts | keyof Person>[];

/** The order in which rows are written: first these members, then facts and person. */
export const ROW_COLUMNS: readonly (keyof RecordRow)[] = [
  ...OWN_COLUMNS,
  ...(Object.keys(StatedFacts.properties) as (keyof StatedFacts)[]),
];

/**
 * Whether `occurred_at` can hold a claimed instant. Any other claim is kept in the text of facts alone.
 * Nanoseconds since 1970 in 64 bits end in 2262; the engine's calendar begins in 1900 and knows no 30 February.
 */
export function isStorableInstant(text: string): boolean {
  const unixMs = Date.parse(text);
  if (Number.isNaN(unixMs)) return false;
  const instant = new Date(unixMs);
  const year = instant.getUTCFullYear();
  // A day that the month does not have rolls over when parsed here; the engine refuses it.
  return year >= 1900 && year < 2262 && instant.toISOString().slice(0, 10) === text.slice(0, 10);
}
