import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SeenIds } from '../../../ingest/seen-ids.ts';
import { openEmbeddedSeenIds } from '../../../ingest/embedded/seen-ids.ts';
import { seenIdsContract } from '../../contract/seen-ids.contract.ts';

async function withDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-seen-ids-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

seenIdsContract('embedded (LMDB)', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-seen-ids-'));
  const handles: SeenIds[] = [];
  return {
    open: async () => {
      const seen = await openEmbeddedSeenIds({ dir });
      handles.push(seen);
      return seen;
    },
    dispose: async () => {
      for (const handle of handles) await handle.close();
      await rm(dir, { recursive: true });
    },
  };
});

describe('openEmbeddedSeenIds', () => {
  it('refuses what is not an id and keeps what it had', async () => {
    await withDir(async (dir) => {
      const seen = await openEmbeddedSeenIds({ dir });
      for (const wrong of ['', 'ab', 'A'.repeat(64), `${'a'.repeat(63)}g`]) {
        await expect(seen.has([wrong])).rejects.toThrow(RangeError);
        await expect(seen.add([wrong], 1)).rejects.toThrow(RangeError);
      }
      expect(await seen.size()).toBe(0);
      await seen.close();
    });
  });
});
