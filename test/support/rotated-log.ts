/** Logs that change their key. */
import { OWN_COLLECTOR } from '../../schemas/native-event.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import type { Signer } from '../../store/keys/signer.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { changeLogKey, draftRotation, type KeyChange } from '../../store/ledger/rotate-key.ts';
import { testRecord } from './ledger.ts';

/** The record of a change of key; `n` makes it distinct. */
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
    },
    content: null,
  });
}

/** Changes the key of the log. `options.signer` signs until then, `next` from then on. */
export function rotateKey(options: LedgerOptions, next: Signer, n?: number): Promise<KeyChange> {
  const rotation = { ...options, nextSigner: next };
  return changeLogKey(rotation, draftRotation(rotation, keyRotated(options.signer, next, n)));
}
