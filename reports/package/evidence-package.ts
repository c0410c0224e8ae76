/**
 * One evidence package from a published checkpoint to a sealed ZIP. In: a request. Out: the ZIP of
 * docs/formats/evidence-package.md. Invariant: everything in it refers to the one checkpoint taken at the start.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { canonicalJson } from '../../schemas/canonical.ts';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import type { CompletenessStatement, ControlResult } from '../../schemas/control.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { PACKAGE_PATHS, type PackageManifest, type PackageResults } from '../../schemas/evidence-package.ts';
import type { JsonValue } from '../../schemas/json.ts';
import { openCheckpoint } from '../../store/chain/checkpoint.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { parseVkey } from '../../store/chain/note.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { assessCompleteness } from '../completeness/completeness.ts';
import { withVerifiedRows } from '../completeness/log.ts';
import type { Control } from '../controls/control.ts';
import { SOC2_CATALOGUE_VERSION, SOC2_CONTROLS } from '../frameworks/soc2/soc2.ts';
import { drawExceptions, drawPopulation, type DrawContext } from './draw.ts';
import { evaluateControl, notProven, restrictTo } from '../controls/evaluate.ts';
import { createIndexSet, type IndexSet } from './index-set.ts';
import type { PackageBuild } from './jobs.ts';
import { listFiles, manifestText, signManifest } from './manifest.ts';
import { readmeText } from './readme.ts';
import { writePackageRecords, type PackageRecordsResult } from './records.ts';
import { writeZip } from './zip.ts';
import { writePdfReport } from '../render/pdf.ts';
import type { PopulationSample } from '../render/report-input.ts';
import { readSealedLog, REPORT_READ_LIMITS } from './sealed-log.ts';

export interface EvidencePackageOptions {
  readonly store: RecordStore;
  readonly published: PublishedLog;
  /** How many logs the deployment has, of which this is one. */
  readonly logCount: number;
  /** Signs the manifest, with the key that signs checkpoints. */
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What one run collects on its way. */
interface Assembly extends DrawContext {
  readonly dir: string;
  readonly completeness: CompletenessStatement;
  readonly period_ended: boolean;
  readonly members: IndexSet;
  readonly exceptional: IndexSet;
  readonly samples: Map<string, PopulationSample>;
}

/**
 * Builder for `openEvidencePackages`. A build throws PACKAGE_NOT_READY while no checkpoint is published,
 * STORE_DIVERGED where the record store is not what was sealed, and the codes of the record store.
 */
export function createPackageBuilder(
  options: EvidencePackageOptions,
): (build: PackageBuild) => Promise<void> {
  return async (build) => {
    const dir = `${build.path}.work`;
    try {
      await assemble(options, build, dir);
    } finally {
      await rm(dir, { force: true, recursive: true });
    }
  };
}

async function assemble(options: EvidencePackageOptions, build: PackageBuild, dir: string): Promise<void> {
  const { store, published, clock, logger } = options;
  const { package_id, request, signal } = build;
  const created_at = toInstant(clock());
  const checkpoint = await currentCheckpoint(published);
  const scope = { period: request.period, log: published.log, tree_size: checkpoint.tree_size };
  const tree = await readSealedLog(store, scope.log, checkpoint, signal);
  const assembly: Assembly = {
    store,
    scope,
    signal,
    dir,
    completeness: withVerifiedRows(
      await assessCompleteness(store, request.period, {
        log: scope.log,
        below: scope.tree_size,
        limits: REPORT_READ_LIMITS,
      }),
      scope.tree_size,
    ),
    period_ended: Date.parse(request.period.to) <= Date.parse(created_at),
    members: createIndexSet(scope.tree_size),
    exceptional: createIndexSet(scope.tree_size),
    samples: new Map(),
  };
  await mkdir(dir, { recursive: true });
  const results: ControlResult[] = [];
  for (const control of SOC2_CONTROLS) results.push(await drawControl(assembly, control));
  const records = await writePackageRecords({
    ...{ store, log: scope.log, checkpoint, tree, dir, signal },
    members: assembly.members,
    exceptions: assembly.exceptional,
  });
  await writeDocuments(options, build, { assembly, checkpoint, created_at, results, records });
  logger.info(
    { package_id, tree_size: scope.tree_size, record_count: records.record_count },
    'wrote evidence package',
  );
}

/** The newest checkpoint, checked against the log's own key before anything is built on it. */
async function currentCheckpoint(published: PublishedLog): Promise<PublishedCheckpoint> {
  const checkpoint = await published.checkpoint();
  if (checkpoint === undefined)
    throw new PipelineError('PACKAGE_NOT_READY', 'no checkpoint is published yet');
  const key = parseVkey(published.vkey);
  const opened = key === undefined ? undefined : openCheckpoint(checkpoint.note, key);
  if (opened?.tree_size !== checkpoint.tree_size || opened.root_hash !== checkpoint.root_hash) {
    throw new PipelineError('INTERNAL', `checkpoint of ${published.origin} does not verify with its key`);
  }
  return checkpoint;
}

async function drawControl(assembly: Assembly, control: Control): Promise<ControlResult> {
  const { dir, members, exceptional, samples, completeness, period_ended } = assembly;
  const populations = [];
  for (const population of control.populations) {
    const csv_path = `populations/${control.id}/${population.id}.csv`;
    const file = join(dir, csv_path);
    await mkdir(dirname(file), { recursive: true });
    const drawn = await drawPopulation(assembly, population, { file, csv_path, members });
    populations.push(drawn.result);
    samples.set(csv_path, drawn.sample);
  }
  const drawn = [];
  for (const rule of control.rules) drawn.push(await drawExceptions(assembly, rule, [exceptional, members]));
  const exception_count = drawn.reduce((sum, { rule }) => sum + rule.exception_count, 0);
  const restricted = restrictTo(completeness, control.required_statistics);
  const counts = new Map(populations.map(({ id, row_count }) => [id, row_count]));
  const verdict = evaluateControl(control, {
    counts,
    exception_count,
    completeness: restricted,
    period_ended,
  });
  return {
    control_id: control.id,
    framework: control.framework,
    title: control.title,
    ...verdict,
    populations,
    figures: await readFigures(assembly, control),
    rules: drawn.map(({ rule }) => rule),
    exceptions: drawn.flatMap(({ exceptions }) => exceptions),
    completeness: restricted,
    not_proven: notProven(control, restricted),
  };
}

async function readFigures({ store, scope }: Assembly, control: Control): Promise<ControlResult['figures']> {
  const figures = [];
  for (const figure of control.figures)
    figures.push(...(await store.read(figure(scope), REPORT_READ_LIMITS)));
  return figures;
}

interface Parts {
  readonly assembly: Assembly;
  readonly checkpoint: PublishedCheckpoint;
  readonly created_at: string;
  readonly results: readonly ControlResult[];
  readonly records: PackageRecordsResult;
}

/** results.json, report, README, key, checkpoint; then the manifest over all of them; then the ZIP. */
async function writeDocuments(
  options: EvidencePackageOptions,
  build: PackageBuild,
  parts: Parts,
): Promise<void> {
  const { published, signer, logCount: log_count } = options;
  const { package_id, request, path } = build;
  const { assembly, checkpoint, created_at, records } = parts;
  const { dir, scope, samples } = assembly;
  const described = { package_id, created_at, period: scope.period, origin: published.origin };
  const head = { tree_size: checkpoint.tree_size, root_hash: checkpoint.root_hash };
  const results: PackageResults = { v: 1, package_id, period: scope.period, results: [...parts.results] };
  const results_text = `${canonicalJson(results as unknown as JsonValue)}\n`;
  const write = (name: string, text: string) => writeFile(join(dir, name), text, { flag: 'wx' });
  await mkdir(join(dir, 'keys'), { recursive: true });
  await write(PACKAGE_PATHS.results, results_text);
  await write(PACKAGE_PATHS.checkpoint, checkpoint.note);
  await write(PACKAGE_PATHS.key, `${published.vkey}\n`);
  await write(
    PACKAGE_PATHS.readme,
    readmeText({ ...described, ...head, log_count, requested_by: request.requested_by }),
  );
  await writePdfReport(join(dir, PACKAGE_PATHS.report), {
    ...described,
    ...head,
    log_count,
    requested_by: request.requested_by,
    catalogue_version: SOC2_CATALOGUE_VERSION,
    vkey: published.vkey,
    checkpoint_note: checkpoint.note,
    results: parts.results,
    results_sha256: sha256Hex(results_text),
    controls: SOC2_CONTROLS,
    samples,
    record_count: records.record_count,
    proof_count: records.proof_paths.length,
    sample: records.sample,
  });
  const paths = [...CONTENT_PATHS, ...samples.keys(), ...records.proof_paths];
  const manifest: PackageManifest = {
    v: 1,
    ...described,
    ...head,
    framework: request.framework,
    catalogue_version: SOC2_CATALOGUE_VERSION,
    files: await listFiles(dir, paths),
  };
  await write(PACKAGE_PATHS.manifest, manifestText(manifest));
  await write(PACKAGE_PATHS.manifestNote, await signManifest(signer, manifest));
  const names = [...paths, PACKAGE_PATHS.manifest, PACKAGE_PATHS.manifestNote];
  await writeZip(
    path,
    names.map((name) => ({ path: name, file: join(dir, name) })),
  );
}

/** Files of every package, beside populations and proofs. */
const CONTENT_PATHS: readonly string[] = [
  PACKAGE_PATHS.readme,
  PACKAGE_PATHS.report,
  PACKAGE_PATHS.results,
  PACKAGE_PATHS.records,
  PACKAGE_PATHS.proofs,
  PACKAGE_PATHS.checkpoint,
  PACKAGE_PATHS.key,
];
