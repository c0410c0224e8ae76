/**
 * Counts the reads of data keys since the start of the process, by their outcome and by whose keys they are. In: each read
 * as the key store reports it. Out: totals for the metrics. No count names a person.
 */
import type { KeyReadTotal } from '../api/metrics.ts';
import type { KeyAddress } from '../schemas/data-key.ts';
import type { KeyReadOutcome } from '../store/data-keys/data-keys.ts';

export interface KeyReads {
  count(outcome: KeyReadOutcome, address: KeyAddress): void;
  /** Outcomes that came at least once. */
  totals(): readonly KeyReadTotal[];
}

export function createKeyReads(): KeyReads {
  const totals = new Map<string, KeyReadTotal>();
  return {
    count(outcome, { subject }) {
      const owner = subject === null ? 'class' : 'subject';
      const name = `${outcome} ${owner}`;
      totals.set(name, { outcome, owner, count: (totals.get(name)?.count ?? 0) + 1 });
    },
    totals: () => [...totals.values()],
  };
}
