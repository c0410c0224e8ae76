/**
 * The documents of a package beside populations, records and proofs. In: the results. Out: results.json, the report,
 * README, checkpoint and key in the working folder.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson } from '../../schemas/canonical.ts';
import { KEY_CHANGES_PATH, PACKAGE_PATHS, type PackageResults } from '../../schemas/evidence-package.ts';
import type { JsonValue } from '../../schemas/json.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { writePdfReport } from '../render/pdf.ts';
import { readmeText } from '../render/readme.ts';
import type { ReportInput } from '../render/report-input.ts';

export type DocumentsInput = Omit<ReportInput, 'results_sha256'>;

/** Writes the documents into `dir` and answers their paths in the package. */
export async function writeDocuments(dir: string, input: DocumentsInput): Promise<string[]> {
  const results = resultsText(input);
  const texts = {
    [PACKAGE_PATHS.results]: results,
    [PACKAGE_PATHS.checkpoint]: input.checkpoint_note,
    [PACKAGE_PATHS.key]: `${input.vkey}\n`,
    [PACKAGE_PATHS.genesis]: input.genesis_text,
    [PACKAGE_PATHS.readme]: readmeText(input),
    ...(input.key_changes === '' ? {} : { [KEY_CHANGES_PATH]: input.key_changes }),
  };
  await mkdir(join(dir, dirname(PACKAGE_PATHS.key)), { recursive: true });
  for (const [path, text] of Object.entries(texts)) await writeFile(join(dir, path), text, { flag: 'wx' });
  const report = { ...input, results_sha256: sha256Hex(results) };
  await writePdfReport(join(dir, PACKAGE_PATHS.report), report);
  return [...Object.keys(texts), PACKAGE_PATHS.report];
}

function resultsText({ package_id, period, synthetic, results }: DocumentsInput): string {
  const document: PackageResults = { v: 1, package_id, period, synthetic, results: [...results] };
  return `${canonicalJson(document as unknown as JsonValue)}\n`;
}
