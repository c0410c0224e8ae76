/** Logs that continue others under new keys. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Continuation } from '../../schemas/bundle.ts';
import { OWN_COLLECTOR } from '../../schemas/native-event.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { factsOfContinuation } from '../../store/chain/continuation.ts';
import { checkpointKey, genesisKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { testRecord, TEST_ORIGIN } from './ledger.ts';

/** What a genesis says that continues the test log in a folder from this size on; 0 trusts none of its leaves. */
export async function continuing(dir: string, size: number, generation = 2): Promise<Continuation> {
  const genesis_sha256 = sha256Hex(await readFile(join(dir, genesisKey('p0')), 'utf8'));
  const named = { generation, origin: TEST_ORIGIN, genesis_sha256 };
  if (size === 0) return named;
  return { ...named, checkpoint: await readFile(join(dir, checkpointKey('p0', size)), 'utf8') };
}

/** The record with which such a log begins. */
export function generationBegun(continues: Continuation, over: Partial<AuditRecord> = {}): AuditRecord {
  return testRecord(4_000_000, {
    type: 'generation.begun',
    source: 'affidavit',
    retention_class: 'admin',
    facts: {
      source_event: 'generation.begun',
      collector: OWN_COLLECTOR,
      ...factsOfContinuation(continues),
    },
    content: null,
    ...over,
  });
}
