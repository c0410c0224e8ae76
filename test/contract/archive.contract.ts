import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { Archive } from '../../store/archive/archive.ts';

export interface ArchiveFixture {
  /** A handle on the same empty store each time it is called within one test. */
  open(): Promise<Archive>;
  /** Changes one byte of a stored object behind the adapter's back. */
  damage(key: string): Promise<void>;
  /** Removes everything; called after each test. */
  dispose(): Promise<void>;
}

const LOCK: ArchiveLock = { mode: 'compliance', retain_until: '2033-01-01T00:00:00.000Z' };

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function keysOf(archive: Archive, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of archive.list(prefix, after)) keys.push(key);
  return keys;
}

/** What every adapter of the Archive port must do. */
export function archiveContract(name: string, makeFixture: () => Promise<ArchiveFixture>): void {
  describe(`${name} as an Archive`, () => {
    let fixture: ArchiveFixture;
    let archive: Archive;

    beforeEach(async () => {
      fixture = await makeFixture();
      archive = await fixture.open();
    });

    afterEach(async () => {
      await archive.close();
      await fixture.dispose();
    });

    it('gives back exactly the bytes that were put', async () => {
      const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
      expect(await archive.put('log/p0/bundle/0', bytes, LOCK)).toBe('created');
      expect(await archive.get('log/p0/bundle/0')).toEqual(Buffer.from(bytes));
    });

    it('keeps an object of no bytes', async () => {
      expect(await archive.put('empty', new Uint8Array(), LOCK)).toBe('created');
      expect(await archive.get('empty')).toHaveLength(0);
    });

    it('resolves undefined for a key that has no object', async () => {
      await archive.put('log/p0/genesis', bytesOf('x'), LOCK);
      expect(await archive.get('log/p0/genesis2')).toBeUndefined();
      expect(await archive.get('log/p1/genesis')).toBeUndefined();
    });

    it('takes the same bytes again and leaves the object alone', async () => {
      await archive.put('a/b', bytesOf('same'), LOCK);
      expect(await archive.put('a/b', bytesOf('same'), LOCK)).toBe('exists');
      const later: ArchiveLock = { mode: 'compliance', retain_until: '2044-01-01T00:00:00.000Z' };
      expect(await archive.put('a/b', bytesOf('same'), later)).toBe('exists');
      expect(await archive.get('a/b')).toEqual(Buffer.from('same'));
    });

    it('refuses other bytes under a taken key and leaves the object alone', async () => {
      await archive.put('a/b', bytesOf('first'), LOCK);
      await expect(archive.put('a/b', bytesOf('second'), LOCK)).rejects.toMatchObject({
        code: 'ARCHIVE_CONFLICT',
      });
      expect(await archive.get('a/b')).toEqual(Buffer.from('first'));
      expect(await archive.put('a/b', bytesOf('first'), LOCK)).toBe('exists');
    });

    it('lets exactly one of sixteen concurrent writers with different bytes create the object', async () => {
      const handles = await Promise.all(Array.from({ length: 16 }, () => fixture.open()));
      const outcomes = await Promise.all(
        handles.map((handle, index) =>
          handle
            .put('log/p0/bundle/7', bytesOf(`writer ${String(index)}`), LOCK)
            .catch((error: unknown) => error),
        ),
      );
      const winners = outcomes.flatMap((outcome, index) => (outcome === 'created' ? [index] : []));
      expect(winners).toHaveLength(1);
      const losers = outcomes.filter((outcome) => outcome !== 'created');
      for (const loser of losers) expect(loser).toMatchObject({ code: 'ARCHIVE_CONFLICT' });
      expect(await archive.get('log/p0/bundle/7')).toEqual(Buffer.from(`writer ${String(winners[0])}`));
      await Promise.all(handles.map((handle) => handle.close()));
    });

    it('tells fifteen of sixteen concurrent writers of the same bytes that the object exists', async () => {
      const puts = Array.from({ length: 16 }, () => archive.put('k', bytesOf('one for all'), LOCK));
      const outcomes = await Promise.all(puts);
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'exists')).toHaveLength(15);
    });

    it('lists the keys below a prefix in byte order, whatever the order of writing', async () => {
      const keys = ['a/1', 'a-b/1', 'a.b', 'a0', 'a/0/z', 'a/0-', 'a/B', 'a/b', 'b', 'log/p0/bundle/9'];
      for (const key of keys) await archive.put(key, bytesOf(key), LOCK);
      const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      expect(await keysOf(archive, '')).toEqual(sorted);
      expect(await keysOf(archive, 'a/')).toEqual(sorted.filter((key) => key.startsWith('a/')));
      expect(await keysOf(archive, 'a')).toEqual(sorted.filter((key) => key.startsWith('a')));
      expect(await keysOf(archive, 'a/0')).toEqual(['a/0-', 'a/0/z']);
      expect(await keysOf(archive, 'nothing/here/')).toEqual([]);
    });

    it('lists only what lies behind a key, whether that key is there or not', async () => {
      for (const key of ['a/1', 'a/3', 'a/5', 'b/1']) await archive.put(key, bytesOf(key), LOCK);
      expect(await keysOf(archive, 'a/', 'a/3')).toEqual(['a/5']);
      expect(await keysOf(archive, 'a/', 'a/2')).toEqual(['a/3', 'a/5']);
      expect(await keysOf(archive, 'a/', 'a/5')).toEqual([]);
      expect(await keysOf(archive, 'a/', 'a')).toEqual(['a/1', 'a/3', 'a/5']);
      expect(await keysOf(archive, 'a/', 'b')).toEqual([]);
    });

    it('lists any set of keys as a sorted set filtered by prefix', async () => {
      const segment = fc.stringMatching(/^[a-c_][a-c._-]{0,3}$/).filter((text) => !text.endsWith('.lock'));
      const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(path, { maxLength: 8 }), async (paths) => {
          round += 1;
          const root = `r${String(round)}/`;
          // A key must not be the folder of another one: no store that is a folder could keep both.
          const keys = paths.filter((key) => !paths.some((other) => other.startsWith(`${key}/`)));
          for (const key of keys) await archive.put(`${root}${key}`, bytesOf(key), LOCK);
          expect(await keysOf(archive, root)).toEqual(keys.map((key) => `${root}${key}`).sort());
        }),
        { numRuns: 15 },
      );
    });

    it.each([
      '',
      '/a',
      'a/',
      'a//b',
      '../a',
      'a/../b',
      'a/./b',
      '.a',
      'a b',
      'a\\b',
      'ä',
      'a\0b',
      'a/b.lock',
    ])('refuses the key %j', async (key) => {
      await expect(archive.put(key, bytesOf('x'), LOCK)).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
      await expect(archive.get(key)).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
    });

    it('refuses a retention date that is no instant in UTC', async () => {
      const lock: ArchiveLock = { mode: 'compliance', retain_until: 'next year' };
      await expect(archive.put('a', bytesOf('x'), lock)).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
      expect(await archive.get('a')).toBeUndefined();
    });

    it('reports a damaged object instead of giving its bytes, and does not mistake it for a rival', async () => {
      await archive.put('a/b', bytesOf('evidence'), LOCK);
      await archive.put('a/c', bytesOf('other'), LOCK);
      await fixture.damage('a/b');
      await expect(archive.get('a/b')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
      await expect(archive.put('a/b', bytesOf('evidence'), LOCK)).rejects.toMatchObject({
        code: 'ARCHIVE_DAMAGED',
      });
      await expect(archive.get('a/b')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
      expect(await archive.get('a/c')).toEqual(Buffer.from('other'));
    });

    it('shows what one handle put to a handle opened later', async () => {
      const bytes = createHash('sha512').update('seed').digest();
      await archive.put('log/p0/content/content/0', bytes, LOCK);
      await archive.close();
      await archive.close();
      const again = await fixture.open();
      expect(await again.get('log/p0/content/content/0')).toEqual(bytes);
      expect(await keysOf(again, 'log/')).toEqual(['log/p0/content/content/0']);
      await again.close();
    });
  });
}
