import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { SYNTHETIC_NOTICE } from '../../schemas/bundle.ts';
import { writeControl } from './pdf-control.ts';
import { writeCover } from './pdf-cover.ts';
import { writeIntegrity } from './pdf-integrity.ts';
import { newPage, openSheet, writeRunningLines } from './pdf-sheet.ts';
import type { ReportInput } from './report-input.ts';

/**
 * Writes the report as A4 PDF. A rendering of results.json, whose digest it carries; the same input gives the same
 * bytes.
 */
export async function writePdfReport(target: string, input: ReportInput): Promise<void> {
  const sheet = openSheet({
    title: `Evidence package ${input.package_id}${input.synthetic ? ' (SYNTHETIC)' : ''}`,
    subject: `${input.framework.title} results over ${input.origin}, ${input.period.from} to ${input.period.to}`,
    createdAt: new Date(input.created_at),
  });
  const written = pipeline(sheet.pdf, createWriteStream(target, { flags: 'wx' }));
  writeCover(sheet, input);
  input.results.forEach((result, position) => {
    if (position > 0) newPage(sheet);
    writeControl(sheet, input, result);
  });
  writeIntegrity(sheet, input);
  writeRunningLines(
    sheet,
    `Affidavit evidence package ${input.package_id}${input.synthetic ? ` · ${SYNTHETIC_NOTICE}` : ''}`,
    `${input.origin} · results.json SHA-256 ${input.results_sha256.slice(0, 16)}…`,
  );
  sheet.pdf.end();
  await written;
}
