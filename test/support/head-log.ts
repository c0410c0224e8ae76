/** A deployment of one log and its head log in one archive, by a clock that the test sets. */
import { HEAD_LOG, type NamedHead } from '../../schemas/head-entry.ts';
import type { Archive } from '../../store/archive/archive.ts';
import type { HeadGuard, Signer } from '../../store/keys/signer.ts';
import { createLog } from '../../store/ledger/genesis.ts';
import { openHeadLog, type HeadLog } from '../../store/ledger/head-log.ts';
import { toNamedHead } from '../../store/ledger/head-log-entries.ts';
import { openLedger, type Ledger } from '../../store/ledger/ledger.ts';
import {
  appendWhole,
  createMemoryGuard,
  createTestLog,
  createTestSigner,
  TEST_POLICY,
  testLock,
  testRecord,
} from './ledger.ts';
import { createTilesProjection } from '../../store/projections/tiles.ts';
import { createMemoryRecordStore } from './memory-record-store.ts';

export const MINUTE_MS = 60_000;
export const BEGUN_MS = Date.parse('2026-11-21T09:00:00.000Z');

export interface HeadLogDeployment {
  readonly ledger: Ledger;
  readonly heads: HeadLog;
  readonly headSigner: Signer;
  /** Another process of the deployment, which knows nothing yet. */
  readonly openSecond: (guard?: HeadGuard) => HeadLog;
  readonly pass: (ms: number) => void;
  /** Seals so many records. */
  readonly seal: (count: number) => Promise<void>;
  /** The newest head of the log, as it is published. */
  readonly head: () => Promise<NamedHead>;
  /** Lets a minute pass and writes an entry of the newest head, and of others. */
  readonly tell: (...others: readonly NamedHead[]) => Promise<void>;
}

export async function openHeadLogDeployment(archive: Archive): Promise<HeadLogDeployment> {
  let nowMs = BEGUN_MS;
  let sealed = 0;
  const clock = () => nowMs;
  const headSigner = createTestSigner('test.example/affidavit/heads');
  const shared = { archive, clock, lockFor: testLock, signer: headSigner };
  await createLog({ ...shared, log: HEAD_LOG, policy: TEST_POLICY });
  const log = await createTestLog({
    archive,
    clock,
    records: createMemoryRecordStore(),
    headLog: headSigner.vkey,
  });
  const ledger = await openLedger(log);
  const openSecond = (guard: HeadGuard = createMemoryGuard()) =>
    openHeadLog({
      ...shared,
      guard,
      everyMs: MINUTE_MS,
      projections: [createTilesProjection({ log: HEAD_LOG, archive })],
    });
  const heads = openSecond();
  const head = async () => toNamedHead(ledger, await ledger.checkpoint());
  return {
    ledger,
    heads,
    headSigner,
    openSecond,
    head,
    pass: (ms) => void (nowMs += ms),
    seal: async (count) => {
      const records = Array.from({ length: count }, (_, offset) => testRecord(sealed + offset));
      sealed += count;
      await appendWhole(ledger, { records, next_offset: ledger.nextOffset() + 1n, duplicate_count: 0 });
    },
    tell: async (...others) => {
      nowMs += MINUTE_MS;
      const named = others.map(({ log }) => log);
      const own = await head();
      await heads.update([...(named.includes(own.log) ? [] : [own]), ...others]);
    },
  };
}
