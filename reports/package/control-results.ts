/**
 * The results of all controls of a framework. In: a framework and a scope. Out: one result per control, the CSV files
 * of its populations, and the records they rest on.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CompletenessStatement, ControlResult, PopulationResult } from '../../schemas/control.ts';
import type { Control, Framework, Population } from '../controls/control.ts';
import { evaluateControl, notProven, restrictTo } from '../controls/evaluate.ts';
import type { PopulationSample } from '../render/report-input.ts';
import { drawExceptions, drawPopulation, type DrawContext, type DrawnExceptions } from './draw.ts';
import { createIndexSet, type IndexSet } from './index-set.ts';
import { REPORT_READ_LIMITS } from './sealed-log.ts';

export interface ControlContext extends DrawContext {
  /** Working folder; paths below it are those of the package. */
  readonly dir: string;
  readonly completeness: CompletenessStatement;
  /** Whether the period lay wholly in the past when the build began. */
  readonly periodEnded: boolean;
}

export interface FrameworkResults {
  readonly results: readonly ControlResult[];
  /** Records that populations and exceptions rest on. */
  readonly members: IndexSet;
  /** Records that exceptions rest on. */
  readonly exceptional: IndexSet;
  /** First rows of each population, by CSV path. */
  readonly samples: ReadonlyMap<string, PopulationSample>;
}

/** Records and rows that all controls add to. */
interface Collected {
  readonly members: IndexSet;
  readonly exceptional: IndexSet;
  readonly samples: Map<string, PopulationSample>;
}

/** One control after another, because an engine in process answers one question at a time. */
export async function drawFramework(
  context: ControlContext,
  { id: framework, controls }: Framework,
): Promise<FrameworkResults> {
  const { tree_size } = context.scope;
  const collected: Collected = {
    members: createIndexSet(tree_size),
    exceptional: createIndexSet(tree_size),
    samples: new Map(),
  };
  const results: ControlResult[] = [];
  for (const control of controls) {
    results.push({ framework, ...(await drawControl(context, control, collected)) });
  }
  return { results, ...collected };
}

async function drawControl(
  context: ControlContext,
  control: Control,
  collected: Collected,
): Promise<Omit<ControlResult, 'framework'>> {
  const populations: PopulationResult[] = [];
  for (const population of control.populations) {
    populations.push(await writePopulation(context, control, population, collected));
  }
  const sets = [collected.exceptional, collected.members];
  const drawn: DrawnExceptions[] = [];
  for (const rule of control.rules) drawn.push(await drawExceptions(context, rule, sets));
  const completeness = restrictTo(context.completeness, control.required_statistics);
  const verdict = evaluateControl(control, {
    counts: new Map(populations.map(({ id, row_count }) => [id, row_count])),
    exception_count: drawn.reduce((sum, { rule }) => sum + rule.exception_count, 0),
    completeness,
    period_ended: context.periodEnded,
  });
  return {
    control_id: control.id,
    title: control.title,
    ...verdict,
    populations,
    figures: await readFigures(context, control),
    rules: drawn.map(({ rule }) => rule),
    exceptions: drawn.flatMap(({ exceptions }) => exceptions),
    completeness,
    not_proven: notProven(control, completeness),
  };
}

async function writePopulation(
  context: ControlContext,
  control: Control,
  population: Population,
  { members, samples }: Collected,
): Promise<PopulationResult> {
  const csv_path = `populations/${control.id}/${population.id}.csv`;
  const file = join(context.dir, csv_path);
  await mkdir(dirname(file), { recursive: true });
  const { result, sample } = await drawPopulation(context, population, { file, csv_path, members });
  samples.set(csv_path, sample);
  return result;
}

async function readFigures(
  { store, scope }: ControlContext,
  control: Control,
): Promise<ControlResult['figures']> {
  const figures = [];
  for (const figure of control.figures)
    figures.push(...(await store.read(figure(scope), REPORT_READ_LIMITS)));
  return figures;
}
