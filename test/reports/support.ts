import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecordStore } from '../../store/records/clickhouse/record-store.ts';
import { checkpointText } from '../../store/chain/checkpoint.ts';
import { rootOf } from '../../store/chain/merkle.ts';
import { formatNote, parseVkey } from '../../store/chain/note.ts';
import type { PublishedLog } from '../../store/ledger/published-log.ts';
import type { RecordRow, RecordStore } from '../../store/records/record-store.ts';
import type { Signer } from '../../store/keys/signer.ts';

export interface TestStore extends RecordStore {
  dispose(): Promise<void>;
}

/** A real record store on a folder of its own, which `dispose` removes. */
export async function openTestStore(): Promise<TestStore> {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-reports-'));
  const store = await openRecordStore({
    connection: { kind: 'chdb', path: join(dir, 'chdb') },
    migrationsDir: join(import.meta.dirname, '../../store/records/migrations'),
    clock: () => Date.parse('2026-04-01T00:00:00Z'),
    limits: { maxExecutionMs: 60_000, maxRowsToRead: 100_000_000 },
  });
  return {
    ...store,
    dispose: async () => {
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The log of the given rows with its newest checkpoint signed by `signer`. */
export async function publishedBy(signer: Signer, rows: readonly RecordRow[]): Promise<PublishedLog> {
  const root = rootOf(rows.map(({ leaf_hash }) => Buffer.from(leaf_hash, 'hex')));
  const head = { tree_size: rows.length, root_hash: Buffer.from(root).toString('hex') };
  const text = checkpointText({ origin: signer.name, ...head });
  const signature = await signer.sign(Buffer.from(text));
  const keyId = parseVkey(signer.vkey)!.keyId;
  const note = formatNote(text, [{ name: signer.name, keyId, signature }]);
  return {
    log: 'p0',
    origin: signer.name,
    vkey: signer.vkey,
    checkpoint: () => Promise.resolve({ note, ...head }),
  };
}
