/** A set of leaf indexes below a fixed size: one bit per leaf, so that a package of any size fits into memory. */
export interface IndexSet {
  readonly count: number;
  addAll(indexes: readonly number[]): void;
  /** Adds the members of a set of the same size. */
  addSet(other: IndexSet): void;
  has(index: number): boolean;
  /** Members of [from, to), rising. */
  between(from: number, to: number): number[];
}

/** Indexes walked at once when one set is added to another. */
const STRIDE = 65_536;

export function createIndexSet(size: number): IndexSet {
  const bits = new Uint8Array(Math.ceil(size / 8));
  let count = 0;
  const has = (index: number) => ((bits[Math.floor(index / 8)] ?? 0) & maskOf(index)) !== 0;
  const add = (index: number) => {
    if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
      throw new RangeError('leaf index not in tree');
    }
    if (has(index)) return;
    const byte = Math.floor(index / 8);
    bits[byte] = (bits[byte] ?? 0) | maskOf(index);
    count += 1;
  };
  return {
    get count() {
      return count;
    },
    has,
    addAll: (indexes) => indexes.forEach(add),
    addSet: (other) => {
      for (let from = 0; from < size; from += STRIDE) other.between(from, from + STRIDE).forEach(add);
    },
    between: (from, to) => {
      const members: number[] = [];
      for (let index = from; index < Math.min(to, size); index += 1) if (has(index)) members.push(index);
      return members;
    },
  };
}

function maskOf(index: number): number {
  return 1 << (index % 8);
}
