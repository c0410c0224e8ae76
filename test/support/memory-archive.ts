import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../../store/archive/archive.ts';
import type { FaultPlan } from './faults.ts';

/** Archive in memory that keeps the port's promises and can be told to break; `objects` is open to tampering. */
export function createMemoryArchive(
  faults?: FaultPlan,
): Archive & { readonly objects: Map<string, Uint8Array> } {
  const objects = new Map<string, Uint8Array>();
  const put = (key: string, bytes: Uint8Array) => {
    const stored = objects.get(key);
    if (stored === undefined) {
      objects.set(key, Uint8Array.from(bytes));
      return Promise.resolve('created' as const);
    }
    if (Buffer.compare(stored, bytes) === 0) return Promise.resolve('exists' as const);
    return Promise.reject(new PipelineError('ARCHIVE_CONFLICT', key));
  };
  const writeName = (key: string) => /^log\/[^/]+\/([a-z]+)/.exec(key)?.[1] ?? key;
  return {
    objects,
    put: (key, bytes) =>
      faults === undefined ? put(key, bytes) : faults.around(writeName(key), () => put(key, bytes)),
    get: (key) => Promise.resolve(objects.get(key)),
    async *list(prefix, after = '') {
      for (const key of [...objects.keys()].sort())
        if (key.startsWith(prefix) && key > after) yield await Promise.resolve(key);
    },
    folders: (prefix) => Promise.resolve(foldersBelow(objects.keys(), prefix)),
    close: () => Promise.resolve(),
  };
}

/** Names of the folders directly below a prefix, ascending. */
export function foldersBelow(keys: Iterable<string>, prefix: string): string[] {
  const names = new Set<string>();
  for (const key of keys) {
    const [name, ...rest] = key.slice(prefix.length).split('/');
    if (key.startsWith(prefix) && name !== undefined && rest.length > 0) names.add(name);
  }
  return [...names].sort();
}
