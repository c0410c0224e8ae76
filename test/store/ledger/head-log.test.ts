import { describe, expect, it } from 'vitest';
import { HEAD_LOG, type HeadEntry, type NamedHead } from '../../../schemas/head-entry.ts';
import { decodeBundle } from '../../../store/chain/bundle-bytes.ts';
import { bundleKey, checkpointKey, tileKey } from '../../../store/chain/layout.ts';
import { sha256Hex } from '../../../store/chain/leaf.ts';
import { createMemoryGuard } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { MINUTE_MS, openHeadLogDeployment } from '../../support/head-log.ts';

const HOUR_MS = 60 * MINUTE_MS;

async function open() {
  const archive = createMemoryArchive();
  const deployment = await openHeadLogDeployment(archive);
  const entries = () =>
    [...archive.objects.keys()]
      .filter((key) => key.startsWith(`log/${HEAD_LOG}/bundle/`))
      .sort()
      .flatMap((key) => decodeBundle(archive.objects.get(key)!).leafTexts)
      .map((text) => JSON.parse(text) as HeadEntry);
  return { archive, ...deployment, entries };
}
const sizes = (entries: readonly HeadEntry[]) =>
  entries.map(({ heads }) => heads.map(({ log, tree_size }) => [log, tree_size]));
const other = (log: string, tree_size: number): NamedHead => ({
  log,
  origin: `test.example/${log}`,
  tree_size,
  root_hash: 'a'.repeat(64),
  note_sha256: 'b'.repeat(64),
});

describe('the head log', () => {
  it('names the newest published head of each log, an empty one with the root of the empty tree', async () => {
    const { heads, head, seal, pass, entries, archive } = await open();
    await heads.update([await head()]);
    await seal(3);
    pass(MINUTE_MS);
    await heads.update([other('p1', 7), await head()]);
    const [empty, second] = entries();
    expect(empty!.heads).toEqual([
      { log: 'p0', origin: 'test.example/affidavit/p0', tree_size: 0, root_hash: sha256Hex('') },
    ]);
    expect(sizes([second!])).toEqual([
      [
        ['p0', 3],
        ['p1', 7],
      ],
    ]);
    const note = archive.objects.get(checkpointKey('p0', 3))!;
    expect(second!.heads[0]!.note_sha256).toBe(sha256Hex(note));
    expect(archive.objects.has(checkpointKey(HEAD_LOG, 2))).toBe(true);
  });

  it('puts a tile when its entries fill one, and another process goes on behind it', async () => {
    const { heads, openSecond, pass, archive, entries } = await open();
    for (let n = 0; n < 256; n += 1) {
      await heads.update([]);
      pass(HOUR_MS);
    }
    expect(archive.objects.get(tileKey(HEAD_LOG, 0, 0))).toHaveLength(256 * 32);
    await openSecond().update([]);
    expect(entries()).toHaveLength(257);
  });

  it('gets an entry when something changed and its interval is over, and else within the hour', async () => {
    const { heads, head, seal, pass, entries } = await open();
    await heads.update([await head()]);
    await seal(1);
    pass(MINUTE_MS - 1);
    await heads.update([await head()]);
    expect(entries()).toHaveLength(1);
    pass(1);
    await heads.update([await head()]);
    expect(entries()).toHaveLength(2);
    pass(HOUR_MS - 1);
    await heads.update([await head()]);
    expect(entries()).toHaveLength(2);
    pass(1);
    await heads.update([await head()]);
    expect(sizes(entries())).toEqual([[['p0', 0]], [['p0', 1]], [['p0', 1]]]);
  });

  it('takes nothing back where a process knows an older head of a log, or none', async () => {
    const { heads, openSecond, pass, entries } = await open();
    await heads.update([other('p1', 7), other('p2', 4)]);
    pass(MINUTE_MS);
    await openSecond().update([other('p1', 6), other('p3', 1)]);
    expect(sizes(entries())[1]).toEqual([
      ['p1', 7],
      ['p2', 4],
      ['p3', 1],
    ]);
  });

  it('never goes back in time, whatever the clock says', async () => {
    const { heads, pass, entries } = await open();
    await heads.update([other('p1', 1)]);
    pass(-5 * MINUTE_MS);
    await heads.update([other('p1', 2)]);
    expect(entries()).toHaveLength(1);
    pass(6 * MINUTE_MS);
    await heads.update([other('p1', 2)]);
    const [first, second] = entries();
    expect(Date.parse(second!.taken_at)).toBeGreaterThan(Date.parse(first!.taken_at));
  });

  it('is written by one of two processes that append at once; the other reads on', async () => {
    const { heads, openSecond, pass, entries } = await open();
    const second = openSecond();
    const both = await Promise.all([heads.update([other('p1', 1)]), second.update([other('p2', 1)])]);
    expect(entries()).toHaveLength(1);
    expect(both).toEqual([entries()[0], entries()[0]]);
    pass(MINUTE_MS);
    await heads.update([other('p1', 1)]);
    await second.update([other('p2', 1)]);
    // The loser names its head as soon as the interval is over.
    pass(MINUTE_MS);
    await second.update([other('p2', 1)]);
    expect(sizes(entries()).at(-1)).toEqual([
      ['p1', 1],
      ['p2', 1],
    ]);
  });

  it('gets the checkpoint that a writer did not publish any more', async () => {
    const { heads, openSecond, archive } = await open();
    await heads.update([other('p1', 1)]);
    archive.objects.delete(checkpointKey(HEAD_LOG, 1));
    await openSecond().update([other('p1', 1)]);
    expect(archive.objects.has(checkpointKey(HEAD_LOG, 1))).toBe(true);
  });

  it('is not gone on with from an older copy of the archive', async () => {
    const { openSecond, pass, archive } = await open();
    const guard = createMemoryGuard();
    const heads = openSecond(guard);
    await heads.update([other('p1', 1)]);
    pass(MINUTE_MS);
    await heads.update([other('p1', 2)]);
    for (const key of [bundleKey(HEAD_LOG, 1), checkpointKey(HEAD_LOG, 2)]) archive.objects.delete(key);
    await expect(openSecond(guard).update([other('p1', 3)])).rejects.toMatchObject({ code: 'START_REFUSED' });
  });
});
