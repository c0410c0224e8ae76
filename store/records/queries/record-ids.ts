import { named } from './tuples.ts';

/** SQL for the ids of grouped records in the order of the log. `position` is a column or expression `(log, leaf_index)`. */
export function idsInLogOrder({
  position = 'position',
  onlyIf,
}: {
  readonly position?: string;
  readonly onlyIf?: string;
} = {}): string {
  const entry = named({ position: [position, POSITION_TYPE], id: ['id', 'String'] });
  const entries = onlyIf === undefined ? `groupArray(${entry})` : `groupArrayIf(${entry}, ${onlyIf})`;
  return `arrayMap(entry -> entry.id, arraySort(${entries}))`;
}

/** The engine's type of `(log, leaf_index)`. */
export const POSITION_TYPE = 'Tuple(log LowCardinality(String), leaf_index UInt64)';
