/**
 * One evidence package from a published checkpoint to a sealed ZIP. In: a request and its framework. Out: the ZIP of
 * docs/formats/evidence-package.md. Invariant: everything in it refers to the one checkpoint taken at the start.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ReadBacklog } from '../../schemas/backlog.ts';
import type { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { formatGenesis } from '../../store/chain/genesis.ts';
import { keysAfter, keysOfGenesis, openCheckpointOf, packageKeyAt } from '../../store/chain/key-history.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { assessCompleteness } from '../completeness/completeness.ts';
import { drawFramework } from './control-results.ts';
import { writeDocuments } from './documents.ts';
import type { PackageBuild } from './jobs.ts';
import { writeManifest } from './manifest.ts';
import { writePackageRecords } from './records.ts';
import { currentCheckpoint, readSealedLog, REPORT_READ_LIMITS } from './sealed-log.ts';
import { writeZip } from './zip.ts';

export interface EvidencePackageOptions {
  readonly store: RecordStore;
  readonly published: PublishedLog;
  readonly genesis: LogGenesis;
  /** Reads the headers that changed the key of the log, in order. @default none, for a log that never did */
  readonly readKeyChanges?: (() => Promise<readonly BundleHeader[]>) | undefined;
  /** How many logs the deployment has, of which this is one. */
  readonly logCount: number;
  /** Opens the signer of the manifest. Its key must be the package key of the log at its newest checkpoint. */
  readonly openSigner: () => Promise<Signer>;
  /** Asked after the checkpoint was taken. Absent where no event log is at hand. */
  readonly readBacklog?: ReadBacklog | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Builder for `openEvidencePackages`. A build throws PACKAGE_NOT_READY while no checkpoint is published, or the package key
 * at hand is not that of the newest one, STORE_DIVERGED where the record store differs from the log, and the codes of the record store.
 */
export function createPackageBuilder(
  options: EvidencePackageOptions,
): (build: PackageBuild) => Promise<void> {
  return async (build) => {
    const dir = `${build.path}.work`;
    try {
      await mkdir(dir, { recursive: true });
      await buildPackage(options, build, dir);
    } finally {
      await rm(dir, { force: true, recursive: true });
    }
  };
}

async function buildPackage(
  options: EvidencePackageOptions,
  { package_id, request, framework, path, signal }: PackageBuild,
  dir: string,
): Promise<void> {
  const { store, published, genesis, logCount, readBacklog, clock, logger } = options;
  const { period, requested_by } = request;
  const { log, origin } = published;
  const created_at = toInstant(clock());
  const { checkpoint, changes, signer } = await takeCheckpoint(options);
  const { tree_size, root_hash } = checkpoint;
  const tree = await readSealedLog(store, log, checkpoint, signal);
  // Every row was compared with its leaf by now, so the statistic of integrity can say how many.
  const completeness = await assessCompleteness(store, period, {
    log,
    below: tree_size,
    verifiedRows: tree.size,
    backlog: await readBacklog?.(),
    limits: REPORT_READ_LIMITS,
  });
  const scope = { period, log, tree_size };
  const periodEnded = Date.parse(period.to) <= Date.parse(created_at);
  const { results, members, exceptional, samples } = await drawFramework(
    { store, scope, signal, dir, completeness, periodEnded },
    framework,
  );
  const { record_count, sample, proof_count, paths } = await writePackageRecords({
    store,
    log,
    checkpoint,
    tree,
    members,
    exceptions: exceptional,
    dir,
    signal,
  });
  const { synthetic } = genesis;
  const head = { package_id, created_at, period, origin, tree_size, root_hash, synthetic };
  const documents = await writeDocuments(dir, {
    ...head,
    requested_by,
    log_count: logCount,
    continues: genesis.continues,
    framework,
    vkey: genesis.vkey,
    key_changes: changes.map((header) => `${canonicalJson(header)}\n`).join(''),
    checkpoint_note: checkpoint.note,
    genesis_text: formatGenesis(genesis).toString(),
    results,
    samples,
    record_count,
    proof_count,
    sample,
  });
  const contents = [...documents, ...samples.keys(), ...paths];
  const manifest = await writeManifest(dir, contents, { head, framework, signer });
  const entries = [...contents, ...manifest].map((name) => ({ path: name, file: join(dir, name) }));
  await writeZip(path, entries);
  logger.info({ package_id, tree_size, record_count }, 'wrote evidence package');
}

/** The newest checkpoint, the changes of key that lead from the genesis to its keys, and the signer of packages about it. */
async function takeCheckpoint({
  published,
  genesis,
  readKeyChanges = () => Promise.resolve([]),
  openSigner,
}: EvidencePackageOptions): Promise<{
  readonly checkpoint: PublishedCheckpoint;
  readonly changes: readonly BundleHeader[];
  readonly signer: Signer;
}> {
  const checkpoint = await currentCheckpoint(published);
  const changes = (await readKeyChanges()).filter(({ start_index }) => start_index < checkpoint.tree_size);
  const first = keysOfGenesis(genesis);
  const keys = first && changes.reduce(keysAfter, first);
  // A reader of the package could not follow the keys either.
  if (keys === undefined || openCheckpointOf(keys, checkpoint.note) === undefined) {
    const detail = `the key of the genesis of ${genesis.origin} does not lead to that of its checkpoint`;
    throw new PipelineError('INTERNAL', detail);
  }
  const signer = await openSigner();
  if (signer.vkey === packageKeyAt(keys, checkpoint.tree_size)) return { checkpoint, changes, signer };
  const detail = `the package key at hand is not that of ${genesis.origin} at size ${String(checkpoint.tree_size)}: the key of the logs is changing, or this machine has an older copy of keys/`;
  throw new PipelineError('PACKAGE_NOT_READY', detail);
}
