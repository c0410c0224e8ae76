import type { Query } from '../record-store.ts';

/** One row if the record store answers. Reads no record. */
export function reachable(): Query<{ readonly answer: number }> {
  return { name: 'reachable', sql: 'SELECT 1 AS answer', params: {} };
}
