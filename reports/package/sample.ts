import { createHash } from 'node:crypto';

/** Records of the sample, which get stand-alone proofs: the usual number for a control that runs many times a day. */
export const SAMPLE_SIZE = 25;

interface Ranked {
  readonly index: number;
  readonly rank: string;
}

export interface Sample {
  /** Offers one record; the order of offers does not matter. */
  offer(index: number, leafHash: Uint8Array): void;
  /** Whether a record is in the sample so far. */
  holds(index: number): boolean;
  /** Indexes of the sample, rising. */
  indexes(): number[];
}

/**
 * A sample that neither side can steer once the checkpoint is signed: records are ranked by
 * SHA-256(root hash || leaf hash), and the smallest ranks are taken. Anybody can draw it again from records.jsonl and
 * the checkpoint.
 */
export function openSample(rootHash: Uint8Array, size: number = SAMPLE_SIZE): Sample {
  let best: Ranked[] = [];
  return {
    offer: (index, leafHash) => {
      const rank = createHash('sha256').update(rootHash).update(leafHash).digest('hex');
      const worst = best.at(-1);
      if (best.length >= size && worst !== undefined && rank >= worst.rank) return;
      best = [...best, { index, rank }].sort(byRank).slice(0, size);
    },
    holds: (index) => best.some((each) => each.index === index),
    indexes: () => best.map(({ index }) => index).sort((left, right) => left - right),
  };
}

function byRank(left: Ranked, right: Ranked): number {
  return left.rank < right.rank ? -1 : 1;
}
