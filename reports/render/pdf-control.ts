import type {
  CompletenessFinding,
  CompletenessStatement,
  ControlException,
  ControlResult,
  PopulationResult,
  RuleResult,
} from '../../schemas/control.ts';
import type { CellValue, Control } from '../controls/control.ts';
import type { PopulationSample, ReportInput } from './report-input.ts';
import { stateLabel } from './pdf-cover.ts';
import { COLOURS, ensureRoom, type Sheet, write, writeItem, writeMono } from './pdf-sheet.ts';
import { writeTable, type Cell, type Column } from './pdf-table.ts';

/** Rows printed of each list; results.json has the others, and the text says how many. */
const PRINTED_EXCEPTIONS = 60;
const PRINTED_FINDINGS = 40;
/** Columns of a population that fit beside each other on A4. */
const PRINTED_COLUMNS = 6;

const STATISTIC_COLOURS = {
  ok: COLOURS.met,
  failed: COLOURS.exception,
  not_measured: COLOURS.not_tested,
} as const;
const STATISTIC_LABELS = { ok: 'ok', failed: 'failed', not_measured: 'not measured' } as const;

/** The pages of one control. */
export function writeControl(sheet: Sheet, input: ReportInput, result: ControlResult): void {
  const control = input.framework.controls.find(({ id }) => id === result.control_id);
  write(sheet, 'h1', `${result.control_id}  ${result.title}`);
  write(sheet, 'h3', `State: ${stateLabel(result.state, input)}`, COLOURS[result.state]);
  write(sheet, 'body', result.state_reason);
  if (control !== undefined) writeQuestion(sheet, control);
  writeFigures(sheet, result);
  writeExceptions(sheet, result);
  writeCompleteness(sheet, result.completeness, control);
  ensureRoom(sheet, 200);
  write(sheet, 'h2', 'Populations');
  for (const population of result.populations) {
    writePopulation(sheet, population, input.samples.get(population.csv_path));
  }
  writeRules(sheet, result);
  ensureRoom(sheet, 40 + 18 * result.not_proven.length);
  write(sheet, 'h2', 'Not proven by these records');
  for (const sentence of result.not_proven) writeItem(sheet, sentence);
}

function writeQuestion(sheet: Sheet, control: Control): void {
  write(sheet, 'h2', 'Criterion and question');
  write(sheet, 'body', control.criterion);
  write(sheet, 'body', `An auditor asks: ${control.asks}`);
}

function writeFigures(sheet: Sheet, { figures }: ControlResult): void {
  if (figures.length === 0) return;
  write(sheet, 'h2', 'Figures');
  writeTable(
    sheet,
    [
      { title: 'Figure', share: 75 },
      { title: 'Value', share: 25 },
    ],
    figures.map(({ name, value }) => [name, value]),
  );
}

function writeExceptions(sheet: Sheet, { rules = [], exceptions }: ControlResult): void {
  write(sheet, 'h2', 'Exceptions');
  if (rules.length === 0) {
    write(
      sheet,
      'body',
      'No rule can be run for this control yet; its state follows from the populations below.',
    );
    return;
  }
  writeTable(
    sheet,
    [
      { title: 'Rule', share: 26 },
      { title: 'Description', share: 60 },
      { title: 'Exceptions', share: 14 },
    ],
    rules.map(({ id, description, exception_count }) => [
      { text: id, strong: true },
      description,
      {
        text: String(exception_count),
        strong: true,
        colour: exception_count > 0 ? COLOURS.exception : COLOURS.ink,
      },
    ]),
  );
  for (const rule of rules.filter(({ exception_count }) => exception_count > 0)) {
    writeFound(
      sheet,
      rule,
      exceptions.filter((exception) => exception.rule === rule.id),
    );
  }
}

function writeFound(sheet: Sheet, rule: RuleResult, found: readonly ControlException[]): void {
  const shown = found.slice(0, PRINTED_EXCEPTIONS);
  ensureRoom(sheet, 90);
  write(sheet, 'h3', `${rule.id} (${rule.exception_count})`);
  writeTable(
    sheet,
    [
      { title: 'Session', share: 26, mono: true },
      { title: 'Tool call', share: 24, mono: true },
      { title: 'Records (first 16 digits of the id)', share: 50, mono: true },
    ],
    shown.map(({ session_id, tool_use_id, record_ids }) => [
      session_id ?? '–',
      tool_use_id ?? '–',
      record_ids.map((id) => id.slice(0, 16)).join(' '),
    ]),
  );
  const unlisted = rule.exception_count - found.length;
  writeRest(sheet, found.length - shown.length, 'exceptions of this rule');
  if (unlisted > 0)
    write(sheet, 'note', `${unlisted} more were counted and are not listed; the query finds them.`);
}

function writeRules(sheet: Sheet, { rules = [] }: ControlResult): void {
  if (rules.length === 0) return;
  write(sheet, 'h2', 'Queries of the rules');
  for (const { id, sql, params } of rules) {
    ensureRoom(sheet, 90);
    write(sheet, 'h3', id);
    writeMono(sheet, sql);
    writeMono(sheet, `params ${JSON.stringify(params)}`);
  }
}

function writeCompleteness(
  sheet: Sheet,
  statement: CompletenessStatement,
  control: Control | undefined,
): void {
  const required = new Set(control?.required_statistics ?? []);
  write(sheet, 'h2', 'Completeness of the population');
  const state = statement.state === 'complete' ? 'are all ok' : 'are not all ok';
  write(sheet, 'body', `The statistics that this control requires (marked *) ${state}.`);
  const figures = (cells: readonly { name: string; value: string }[]) =>
    cells.map(({ name, value }) => `${name}: ${value}`).join('; ');
  writeTable(
    sheet,
    [
      { title: 'Statistic', share: 22 },
      { title: 'State', share: 12 },
      { title: 'Figures', share: 30 },
      { title: 'Detail', share: 46 },
    ],
    statement.statistics.map((statistic) => [
      `${statistic.id}${required.has(statistic.id) ? '*' : ''} ${statistic.name}`,
      { text: STATISTIC_LABELS[statistic.state], strong: true, colour: STATISTIC_COLOURS[statistic.state] },
      figures(statistic.figures),
      statistic.detail,
    ]),
  );
  if (statement.findings.length > 0) writeFindings(sheet, statement.findings);
}

function writeFindings(sheet: Sheet, findings: readonly CompletenessFinding[]): void {
  write(sheet, 'h3', `Completeness findings (${findings.length})`);
  writeTable(
    sheet,
    [
      { title: 'Code', share: 24 },
      { title: 'Session', share: 24, mono: true },
      { title: 'Tool call', share: 20, mono: true },
      { title: 'Source', share: 9 },
      { title: 'Detail', share: 33 },
    ],
    findings
      .slice(0, PRINTED_FINDINGS)
      .map(({ code, session_id, tool_use_id, source, detail }) => [
        code,
        session_id ?? '–',
        tool_use_id ?? '–',
        source ?? '–',
        detail,
      ]),
  );
  writeRest(sheet, findings.length - PRINTED_FINDINGS, 'findings');
}

function writePopulation(
  sheet: Sheet,
  population: PopulationResult,
  sample: PopulationSample | undefined,
): void {
  write(sheet, 'h3', `${population.title} (${population.id})`);
  write(sheet, 'body', population.definition);
  write(
    sheet,
    'note',
    `${population.row_count} rows resting on ${population.record_count} records. File: ${population.csv_path}, SHA-256 ${population.csv_sha256}. Drawn with the query below, page by page in its order.`,
  );
  writeMono(sheet, population.sql);
  writeMono(sheet, `params ${JSON.stringify(population.params)}`);
  if (sample !== undefined && sample.rows.length > 0) writeSampleRows(sheet, population, sample);
}

function writeSampleRows(
  sheet: Sheet,
  population: PopulationResult,
  { columns, rows }: PopulationSample,
): void {
  const shown = columns.filter((column) => column !== 'record_ids').slice(0, PRINTED_COLUMNS);
  const layout: Column[] = shown.map((column) => ({
    title: column,
    share: /_(id|at)$/.test(column) ? 20 : 13,
  }));
  write(
    sheet,
    'note',
    `First ${rows.length} of ${population.row_count} rows, ${shown.length} of ${columns.length} columns:`,
  );
  writeTable(
    sheet,
    layout,
    rows.map((row): Cell[] => shown.map((column) => ({ text: cellText(row[column]) }))),
  );
}

function cellText(value: CellValue): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? value.join(' ') : String(value);
}

function writeRest(sheet: Sheet, rest: number, noun: string): void {
  if (rest > 0) write(sheet, 'note', `${rest} more ${noun} are in results.json.`);
}
