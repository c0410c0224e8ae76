/** How often each kind of event happened, over one run or many. */
export interface Coverage {
  count(kind: string): void;
  readonly counts: ReadonlyMap<string, number>;
}

export function createCoverage(): Coverage {
  const counts = new Map<string, number>();
  return {
    counts,
    count: (kind) => void counts.set(kind, (counts.get(kind) ?? 0) + 1),
  };
}

export function addCounts(to: Map<string, number>, from: Iterable<readonly [string, number]>): void {
  for (const [kind, count] of from) to.set(kind, (to.get(kind) ?? 0) + count);
}

/** Sum of all kinds that begin with one of the prefixes. */
export function sumOf(counts: ReadonlyMap<string, number>, ...prefixes: readonly string[]): number {
  let sum = 0;
  for (const [kind, count] of counts) if (prefixes.some((prefix) => kind.startsWith(prefix))) sum += count;
  return sum;
}

export function renderCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${String(count).padStart(10)}  ${kind}`)
    .join('\n');
}
