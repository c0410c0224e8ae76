import type { Query } from '../record-store.ts';

/** One row wherever the record store answers at all; reads none of its rows. */
export function reachable(): Query<{ readonly answer: number }> {
  return { name: 'reachable', sql: 'SELECT 1 AS answer', params: {} };
}
