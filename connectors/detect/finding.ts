/** A place in a text, half-open, in UTF-16 code units. */
export interface Finding<Type extends string = string> {
  readonly type: Type;
  readonly start: number;
  readonly end: number;
}

/**
 * Returns findings in the order of the text, without overlaps. Of two that overlap, the one whose type comes first in
 * `ranks` stays; of equal rank, the one that begins first; of these, the longer one.
 */
export function settle<Type extends string>(
  found: readonly Finding<Type>[],
  ranks: readonly Type[],
): Finding<Type>[] {
  if (isSettled(found)) return [...found];
  const byPlace = found.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const settled: Finding<Type>[] = [];
  for (const finding of byPlace) {
    let stays = true;
    // Settled findings do not overlap, so only the last of them can reach into this one.
    for (let last = settled.at(-1); stays && last !== undefined && last.end > finding.start;) {
      if (ranks.indexOf(finding.type) < ranks.indexOf(last.type)) settled.pop();
      else stays = false;
      last = settled.at(-1);
    }
    if (stays) settled.push(finding);
  }
  return settled;
}

/** Findings are nearly always in order already. */
function isSettled(found: readonly Finding[]): boolean {
  return found.every(({ start }, index) => start >= (found[index - 1]?.end ?? 0));
}
