/** Runs the work for each item, at most `limit` at once; results in the order of the items. The first failure ends it. */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, place: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    for (const [place, item] of entries) {
      if (hasFailed) return;
      try {
        results[place] = await work(item, place);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  // Every lane ends before the first failure is thrown: nothing goes on behind the back of the caller.
  const ends = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return results;
}
