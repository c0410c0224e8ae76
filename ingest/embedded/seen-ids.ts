import type { SeenIds } from '../seen-ids.ts';
import { openEnvironment, type BinaryDatabase } from './environment.ts';

const SIZE_KEY = Buffer.from('size');
const NOTHING = Buffer.alloc(0);
const HEX_ID = /^[0-9a-f]{64}$/;

/**
 * Seen ids on LMDB: the 32 bytes of each id as a key without a value. No id is shortened: a record whose id collides
 * counts as a repetition and is not sealed, and a sender must not be able to construct such a record.
 *
 * Throws RangeError for anything but 64 lower-case hex digits: this program makes all ids.
 */
export async function openEmbeddedSeenIds(options: { readonly dir: string }): Promise<SeenIds> {
  const environment = await openEnvironment(options.dir, { mapBytes: 1024 * 1024 * 1024 });
  const ids = environment.database('ids');
  const meta = environment.database('meta');
  return {
    has: (asked) =>
      new Promise((resolve) => {
        environment.refresh();
        resolve(new Set(asked.filter((id) => ids.doesExist(toKey(id)))));
      }),
    add: async (added, size) => {
      const keys = added.map(toKey);
      // In key order the tree is walked once from left to right, and each of its pages is copied once.
      keys.sort((a, b) => Buffer.compare(a, b));
      await environment.commit(() => {
        for (const key of keys) void ids.put(key, NOTHING);
        if (size > readSize(meta)) writeSize(meta, size);
      });
    },
    size: () =>
      new Promise((resolve) => {
        environment.refresh();
        resolve(readSize(meta));
      }),
    clear: () =>
      environment.commit(() => {
        void ids.clearAsync();
        writeSize(meta, 0);
      }),
    close: () => environment.close(),
  };
}

function toKey(id: string): Buffer {
  if (!HEX_ID.test(id)) throw new RangeError('a record id has 64 lower-case hex digits');
  return Buffer.from(id, 'hex');
}

function readSize(meta: BinaryDatabase): number {
  return Number(meta.get(SIZE_KEY)?.readBigUInt64BE() ?? 0n);
}

function writeSize(meta: BinaryDatabase, size: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(size));
  void meta.put(SIZE_KEY, bytes);
}
