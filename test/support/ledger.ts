import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { AuditRecord } from '../../schemas/record.ts';
import type { Continuation, LogGenesis, LogPolicy } from '../../schemas/bundle.ts';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { packageKeyName } from '../../store/chain/key-history.ts';
import { formatVkey, verifierKey } from '../../store/chain/note.ts';
import { createLog, requireGenesis } from '../../store/ledger/genesis.ts';
import type { Ledger } from '../../store/ledger/ledger.ts';
import type { Batch } from '../../store/ledger/commit.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { createRowsProjection } from '../../store/projections/rows.ts';
import { createTilesProjection } from '../../store/projections/tiles.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { HeadGuard, Signer } from '../../store/keys/signer.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { FaultPlan } from './faults.ts';
import { createMemoryArchive } from './memory-archive.ts';
import { createMemoryKeyStore } from './memory-key-store.ts';

export const TEST_ORIGIN = 'test.example/affidavit/p0';

/** A real Ed25519 signer with a fresh key. */
export function createTestSigner(name = TEST_ORIGIN): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  return {
    name,
    vkey: formatVkey(verifierKey(name, raw)),
    sign: (message) => Promise.resolve(sign(null, message, privateKey)),
  };
}

const packageSigners = new WeakMap<Signer, Signer>();

/** The signer of packages about the log of a signer: always the same one. */
export function packageSignerOf(signer: Signer): Signer {
  const known = packageSigners.get(signer) ?? createTestSigner(packageKeyName(signer.name));
  packageSigners.set(signer, known);
  return known;
}

/** HeadGuard in memory that also counts how often a size was signed with different roots: it must stay 0. */
export function createMemoryGuard(
  faults?: FaultPlan,
): HeadGuard & { head: { tree_size: number; root_hash: string } | undefined } {
  const guard = {
    head: undefined as { tree_size: number; root_hash: string } | undefined,
    latest: () => Promise.resolve(guard.head),
    advance: (_: string, head: { tree_size: number; root_hash: string }) => {
      const apply = () => {
        const known = guard.head;
        if (
          known !== undefined &&
          (known.tree_size > head.tree_size ||
            (known.tree_size === head.tree_size && known.root_hash !== head.root_hash))
        ) {
          return Promise.reject(new PipelineError('SIGNER_REFUSED', 'smaller or different head'));
        }
        guard.head = head;
        return Promise.resolve();
      };
      return faults === undefined ? apply() : faults.around('guard', apply);
    },
  };
  return guard;
}

/** Bytes that differ on each call and are the same in each run. */
export function createTestRandom(seed = 'seed'): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => {
    calls += 1;
    return createHash('shake256', { outputLength: count }).update(`${seed} ${calls}`).digest();
  };
}

export const testLock = (): ArchiveLock => ({ mode: 'governance', retain_until: '2033-01-01T00:00:00.000Z' });

export const TEST_POLICY: LogPolicy = {
  lock_mode: 'governance',
  archive_days: { admin: 30, content: 30, facts: 30, file: 30, package: 30, person: 30, proof: 30 },
};

/** The genesis that `createLog` writes for a log of this signer. */
export async function testGenesis(signer: Signer, isSynthetic = false): Promise<LogGenesis> {
  const archive = createMemoryArchive();
  const clock = () => Date.parse('2026-03-01T00:00:00.000Z');
  const promises = { lockFor: testLock, policy: TEST_POLICY, packageKey: packageSignerOf(signer).vkey };
  await createLog({ log: 'p0', archive, signer, clock, ...promises, isSynthetic });
  return requireGenesis(archive, 'p0');
}

export interface TestLedgerParts {
  readonly archive: Archive;
  readonly records: RecordStore;
  readonly dataKeys?: LedgerOptions['dataKeys'];
  readonly signer?: Signer;
  readonly guard?: HeadGuard;
  readonly clock?: () => number;
  /** @default 'p0' */
  readonly log?: string;
  readonly policy?: LogPolicy;
  /** Verifier key of the head log that names this log. */
  readonly headLog?: string;
  /** The log that this one continues. */
  readonly continues?: Continuation;
  /** @default false */
  readonly isSynthetic?: boolean;
}

/** Appends one batch and waits until it is queryable and published. */
export async function appendWhole(ledger: Ledger, batch: Batch): Promise<void> {
  const { published } = await ledger.append(batch);
  await published;
}

/** Options of a ledger whose log exists already in the archive. */
export async function createTestLog(parts: TestLedgerParts): Promise<LedgerOptions> {
  const options: LedgerOptions = {
    log: parts.log ?? 'p0',
    archive: parts.archive,
    dataKeys: parts.dataKeys ?? createMemoryKeyStore(),
    projections: [
      createRowsProjection(parts.records),
      createTilesProjection({ log: 'p0', archive: parts.archive }),
    ],
    signer: parts.signer ?? createTestSigner(),
    guard: parts.guard ?? createMemoryGuard(),
    clock: parts.clock ?? (() => Date.parse('2026-11-21T09:00:00.000Z')),
    randomBytes: createTestRandom(),
    lockFor: testLock,
  };
  const { policy = TEST_POLICY, headLog, continues, isSynthetic = false } = parts;
  const packageKey = packageSignerOf(options.signer).vkey;
  await createLog({ ...options, policy, headLog, packageKey, continues, isSynthetic });
  return options;
}

/** Keyed hash of the one person of `testRecord`. */
export const TEST_PERSON = '1'.repeat(64);

/** A plausible record; `n` makes it distinct. */
export function testRecord(n: number, over: Partial<AuditRecord> = {}): AuditRecord {
  return {
    id: createHash('sha256').update(`record ${n}`).digest('hex'),
    type: 'tool.requested',
    source: 'hook',
    retention_class: 'content',
    principal: '0'.repeat(32),
    subject: n % 2 === 0 ? null : TEST_PERSON,
    key_owner: n % 2 === 0 ? null : TEST_PERSON,
    received_at: '2026-11-21T08:59:59.000Z',
    facts: {
      source_event: 'PreToolUse',
      collector: 'workstation',
      session_id: `session-${n % 3}`,
      tool_use_id: `toolu_${n}`,
      tool_name: 'Bash',
    },
    person: n % 2 === 0 ? null : { claimed_user: `person-${n % 3}@example.com` },
    content: n % 4 === 0 ? null : { tool_input: { command: `echo "${n}" é \u2028` } },
    ...over,
  };
}
