/** Objects of a key store in memory, for tests: one object changes at a time, and a test decides when each step comes. */
import type { KeyObjects } from '../../store/data-keys/key-objects.ts';

export interface MemoryKeyObjects extends KeyObjects {
  readonly stored: Map<string, Buffer>;
}

/** @param step awaited before each single object is read, made, changed or listed */
export function createMemoryKeyObjects(
  stored = new Map<string, Buffer>(),
  step: (what: string) => Promise<unknown> = () => Promise.resolve(),
): MemoryKeyObjects {
  const all = <T, R>(items: readonly T[], work: (item: T) => Promise<R>) => Promise.all(items.map(work));
  return {
    stored,
    read: (names) =>
      all(names, async (name) => {
        await step(`read ${name}`);
        return stored.get(name);
      }),
    create: (objects) =>
      all(objects, async ({ name, bytes }) => {
        await step(`create ${name}`);
        if (stored.has(name)) return 'exists' as const;
        stored.set(name, Buffer.from(bytes));
        return 'created' as const;
      }),
    change: (changes) =>
      all(changes, async ({ name, from, to }) => {
        await step(`change ${name}`);
        const found = stored.get(name);
        if (found === undefined || (from !== undefined && !found.equals(from))) return false;
        if (to === undefined) stored.delete(name);
        else stored.set(name, Buffer.from(to));
        return true;
      }),
    async *list(prefix) {
      await step(`list ${prefix}`);
      yield* [...stored.keys()].filter((name) => name.startsWith(prefix));
    },
    close: () => Promise.resolve(),
  };
}
