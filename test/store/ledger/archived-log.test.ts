import { describe, expect, it } from 'vitest';
import { openArchivedLog, readLogKeys } from '../../../store/ledger/archived-log.ts';
import { checkpointKey } from '../../../store/chain/layout.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { appendWhole, createTestLog, createTestSigner, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

async function setUp() {
  const archive = createMemoryArchive();
  const records = createMemoryRecordStore();
  const signer = createTestSigner();
  const ledger = await openLedger(await createTestLog({ archive, records, signer }));
  const clock = { nowMs: 1_000_000 };
  const listed: (string | undefined)[] = [];
  const watched = {
    ...archive,
    list: (prefix: string, after?: string) => {
      listed.push(after);
      return archive.list(prefix, after);
    },
  };
  const archived = openArchivedLog({
    log: 'p0',
    ...(await readLogKeys(archive, 'p0', signer.name)),
    archive: watched,
    clock: () => clock.nowMs,
  });
  const seal = (from: number, count: number) =>
    appendWhole(ledger, {
      records: Array.from({ length: count }, (_, n) => testRecord(from + n)),
      next_offset: BigInt(from + count),
      duplicate_count: 0,
    });
  return { archive, ledger, archived, seal, clock, listed };
}

describe('a log as its archive tells it', () => {
  it('has no checkpoint before the first was published', async () => {
    const { archived } = await setUp();
    expect(await archived.checkpoint()).toBeUndefined();
  });

  it('has the name, the key and the newest checkpoint that the ledger has', async () => {
    const { archived, ledger, seal } = await setUp();
    await seal(0, 3);
    await seal(3, 2);
    expect(await archived.checkpoint()).toEqual(await ledger.checkpoint());
    expect([archived.log, archived.origin, archived.vkey]).toEqual([ledger.log, ledger.origin, ledger.vkey]);
  });

  it('looks again after a second, and only behind what it has seen', async () => {
    const { archived, ledger, seal, clock, listed } = await setUp();
    await seal(0, 3);
    await archived.checkpoint();
    await seal(3, 2);
    clock.nowMs += 999;
    expect((await archived.checkpoint())?.tree_size).toBe(3);
    clock.nowMs += 1;
    expect(await archived.checkpoint()).toEqual(await ledger.checkpoint());
    clock.nowMs += 1_000;
    expect((await archived.checkpoint())?.tree_size).toBe(5);
    expect(listed.slice(-2)).toEqual([checkpointKey('p0', 3), checkpointKey('p0', 5)]);
  });

  it('asks the archive once for questions that come together', async () => {
    const { archived, seal, listed } = await setUp();
    await seal(0, 3);
    await Promise.all([archived.checkpoint(), archived.checkpoint(), archived.checkpoint()]);
    expect(listed).toHaveLength(1);
  });

  it('refuses a checkpoint that the log did not sign', async () => {
    const { archive, archived, seal } = await setUp();
    await seal(0, 3);
    const note = Buffer.from(archive.objects.get(checkpointKey('p0', 3))!).toString('utf8');
    archive.objects.set(checkpointKey('p0', 3), Buffer.from(note.replace('\n3\n', '\n4\n')));
    await expect(archived.checkpoint()).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('has its public key in its genesis, where it is the log that was asked for', async () => {
    const { archive, ledger } = await setUp();
    const { origin, keys } = await readLogKeys(archive, 'p0', ledger.origin);
    expect([origin, keys.map(({ vkey }) => vkey)]).toEqual([ledger.origin, [ledger.vkey]]);
    for (const [log, origin] of [
      ['p0', 'another.example/p0'],
      ['p1', ledger.origin],
    ] as const) {
      await expect(readLogKeys(archive, log, origin)).rejects.toMatchObject({ code: 'START_REFUSED' });
    }
  });
});
