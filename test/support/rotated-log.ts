/** Logs that change their key. */
import type { BundleHeader, LogGenesis, UnsignedBundleHeader } from '../../schemas/bundle.ts';
import { OWN_COLLECTOR } from '../../schemas/native-event.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { genesisDigest } from '../../store/chain/genesis.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { sign } from '../../store/ledger/commit.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { changeLogKey, draftRotation, type KeyChange } from '../../store/ledger/rotate-key.ts';
import { packageSignerOf, testLock, testRecord } from './ledger.ts';

/** The header of a bundle that changes the key of a log at a place; the leaves and the rest of it are made up. */
export async function changeHeader(
  signer: Signer,
  nextSigner: Signer,
  {
    genesis,
    start,
    rotated_at,
  }: { readonly genesis: LogGenesis; readonly start: number; readonly rotated_at?: number },
): Promise<BundleHeader> {
  const header: UnsignedBundleHeader = {
    v: 1,
    origin: signer.name,
    genesis_sha256: genesisDigest(genesis),
    start_index: start,
    leaf_count: 1,
    tree_size: start + 1,
    root_hash: sha256Hex(`root ${String(start)}`),
    chain_head: sha256Hex(`chain ${String(start)}`),
    frontier: [],
    next_offset: '0',
    integrated_at: '2026-03-02T00:00:00.000Z',
    duplicate_count: 0,
    lock: testLock(),
    frame_count: 1,
    lines: { sha256: sha256Hex('lines'), size_bytes: 5 },
    payloads: [],
    next_vkey: nextSigner.vkey,
    next_package_key: packageSignerOf(nextSigner).vkey,
    ...(rotated_at === undefined ? {} : { rotated_at }),
  };
  return sign({ signer, nextSigner }, header);
}

/** The record of a change of key; `n` makes it distinct. The package keys are those of `packageSignerOf`. */
export function keyRotated(old: Signer, next: Signer, n = 1_000_000): AuditRecord {
  return testRecord(2 * n, {
    type: 'key.rotated',
    source: 'affidavit',
    retention_class: 'admin',
    facts: {
      source_event: 'key.rotated',
      collector: OWN_COLLECTOR,
      old_vkey: old.vkey,
      new_vkey: next.vkey,
      new_package_key: packageSignerOf(next).vkey,
    },
    content: null,
  });
}

/** Changes the key of the log. `options.signer` signs until then, `next` from then on. */
export function rotateKey(options: LedgerOptions, next: Signer, n?: number): Promise<KeyChange> {
  const rotation = { ...options, nextSigner: next, nextPackageKey: packageSignerOf(next).vkey };
  return changeLogKey(rotation, draftRotation(rotation, keyRotated(options.signer, next, n)));
}
