/** The claims of results.json against the lists and records of the same package. */
import type { CompletenessStatement, ControlResult, PopulationResult } from '../../schemas/control.ts';
import { PACKAGE_PATHS, PackageResults, type PackageManifest } from '../../schemas/evidence-package.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import type { Container } from './container.ts';
import type { Findings } from './report.ts';
import { parseShape } from './shape.ts';
import { readCsv, readText } from './package-text.ts';

interface ResultsRun {
  readonly container: Container;
  readonly manifest: PackageManifest;
  /** Ids of the records in records.jsonl. */
  readonly ids: ReadonlySet<string>;
  readonly findings: Findings;
}

/** Checks every count and digest that can be checked. Resolves the completeness that the statements inside claim. */
export async function verifyResults(run: ResultsRun): Promise<VerificationReport['completeness']> {
  const { container, manifest, findings } = run;
  const results = parseShape(PackageResults, await readText(container.read(PACKAGE_PATHS.results)));
  if (results === undefined) {
    findings.fail('results_mismatch', null, 'results.json does not have the shape of results');
    return 'not_assessed';
  }
  const isOfPackage =
    results.package_id === manifest.package_id &&
    results.period.from === manifest.period.from &&
    results.period.to === manifest.period.to;
  if (!isOfPackage) findings.fail('results_mismatch', null, 'results.json belongs to another package');
  if (results.synthetic !== manifest.synthetic) {
    const detail = `results.json says synthetic: ${String(results.synthetic)}, the manifest ${String(manifest.synthetic)}`;
    findings.fail('synthetic_mismatch', null, detail);
  }
  for (const result of results.results) await verifyControl(result, run);
  return completenessOf(results.results.map(({ completeness }) => completeness));
}

async function verifyControl(result: ControlResult, run: ResultsRun): Promise<void> {
  for (const population of result.populations) await verifyPopulation(population, run);
  for (const { rule, record_ids } of result.exceptions) {
    const unknown = record_ids.find((id) => !run.ids.has(id));
    if (unknown !== undefined) {
      run.findings.fail(
        'population_mismatch',
        null,
        `exception ${rule} of ${result.control_id} names record ${unknown}, which is not in the package`,
      );
    }
  }
}

/**
 * SPEC (evidence-package.md): the list has a header row and `row_count` rows; its column `record_ids` holds ids separated
 * by spaces, `record_count` different ones in all, each of a record of the package.
 */
async function verifyPopulation(population: PopulationResult, run: ResultsRun): Promise<void> {
  const { csv_path: path, csv_sha256 } = population;
  const complain = (detail: string) => run.findings.fail('population_mismatch', null, `${path}: ${detail}`);
  const listed = run.manifest.files.find((file) => file.path === path);
  if (listed?.sha256 !== csv_sha256) {
    complain('results.json names another digest than the manifest');
    return;
  }
  const rows = readCsv(run.container.read(path));
  const header = await rows.next();
  const column = header.done === true ? -1 : header.value.indexOf('record_ids');
  const seen = new Set<string>();
  let rowCount = 0;
  for await (const row of rows) {
    rowCount += 1;
    for (const id of (row[column] ?? '').split(' ')) if (id !== '') seen.add(id);
  }
  if (column < 0) complain('it has no column record_ids');
  if (rowCount !== population.row_count)
    complain(`it has ${String(rowCount)} rows, results.json says ${String(population.row_count)}`);
  if (seen.size !== population.record_count) {
    complain(`it names ${String(seen.size)} records, results.json says ${String(population.record_count)}`);
  }
  const unknown = [...seen].find((id) => !run.ids.has(id));
  if (unknown !== undefined) complain(`it names record ${unknown}, which is not in the package`);
}

function completenessOf(statements: readonly CompletenessStatement[]): VerificationReport['completeness'] {
  if (statements.length === 0) return 'not_assessed';
  return statements.every(({ state }) => state === 'complete') ? 'complete' : 'incomplete';
}
