import type { CompletenessStatement, CompletenessStatistic, ControlState } from '../../schemas/control.ts';
import type { Control } from './control.ts';
import { counted } from './counted.ts';

/** What was found for one control. */
export interface Findings {
  /** Rows by population id. */
  readonly counts: ReadonlyMap<string, number>;
  readonly exception_count: number;
  /** As `restrictTo` gives it for this control. */
  readonly completeness: CompletenessStatement;
  /** Whether the period lay wholly in the past when the checkpoint was taken. */
  readonly period_ended: boolean;
}

export interface Verdict {
  readonly state: ControlState;
  readonly state_reason: string;
}

/**
 * The state of a control. An exception stands even where the population is incomplete; the absence of exceptions
 * means something only where the population is complete.
 */
export function evaluateControl(control: Control, findings: Findings): Verdict {
  const gaps = gapsOf(control, findings);
  if (findings.exception_count > 0)
    return { state: 'exception', state_reason: exceptionReason(findings, gaps) };
  if (gaps.length > 0) return { state: 'not_tested', state_reason: sentences(gaps) };
  const isEmpty = (population: string) => (findings.counts.get(population) ?? 0) === 0;
  if (control.activity.every(isEmpty)) {
    return { state: control.when_no_activity.state, state_reason: control.when_no_activity.reason };
  }
  const missing = control.needed.filter(({ population }) => isEmpty(population));
  if (missing.length > 0) {
    return { state: 'not_tested', state_reason: sentences(missing.map(({ when_empty }) => when_empty)) };
  }
  const met =
    'Every item of the populations was tested, the required statistics are ok, and no rule found an exception.';
  const unmeasured = unmeasuredOf(findings.completeness).map(({ id }) => id);
  if (unmeasured.length === 0) return { state: 'met', state_reason: met };
  return {
    state: 'met',
    state_reason: `${met} Not measured: ${unmeasured.join(', ')}; see what is not proven.`,
  };
}

/**
 * What the records cannot prove for this control: its own limits, and every statistic that was not measured. The
 * absence of a known hole is not the presence of everybody.
 */
export function notProven(control: Control, completeness: CompletenessStatement): string[] {
  const unmeasured = unmeasuredOf(completeness).map(
    ({ id, name, detail }) =>
      `That ${id} (${name}) holds, which was not measured: ${detail.replace(/\.$/, '')}.`,
  );
  return [...control.not_proven, ...unmeasured];
}

function unmeasuredOf({ statistics }: CompletenessStatement): readonly CompletenessStatistic[] {
  return statistics.filter(({ state }) => state === 'not_measured');
}

/**
 * The statement as it bears on one control: `complete` only if every statistic that the control requires was measured
 * and is ok. All statistics stay in it, so that a reader sees also those that are not required.
 */
export function restrictTo(
  statement: CompletenessStatement,
  required: readonly string[],
): CompletenessStatement {
  const isOk = (id: string) =>
    statement.statistics.some((statistic) => statistic.id === id && statistic.state === 'ok');
  const isComplete = required.every(isOk) && failedOf(HEEDED, statement.statistics).length === 0;
  return { ...statement, state: isComplete ? 'complete' : 'incomplete' };
}

/** Need not be measured, but where one fails, somebody or something is missing from every population. */
const HEEDED: readonly string[] = ['S1', 'S9'];

function failedOf(
  ids: readonly string[],
  statistics: readonly CompletenessStatistic[],
): readonly CompletenessStatistic[] {
  return statistics.filter(({ id, state }) => ids.includes(id) && state === 'failed');
}

function gapsOf(control: Control, { completeness, period_ended }: Findings): string[] {
  const running = period_ended ? [] : ['the period had not ended when this package was made'];
  const required = control.required_statistics.map((id) => gapOf(id, completeness.statistics));
  const heeded = HEEDED.filter((id) => !control.required_statistics.includes(id));
  const failed = failedOf(heeded, completeness.statistics).map(({ id }) =>
    gapOf(id, completeness.statistics),
  );
  return [...running, ...[...required, ...failed].filter((gap) => gap !== undefined)];
}

function gapOf(id: string, statistics: readonly CompletenessStatistic[]): string | undefined {
  const statistic = statistics.find((each) => each.id === id);
  if (statistic === undefined) return `${id} was not measured`;
  if (statistic.state === 'ok') return undefined;
  const verb = statistic.state === 'failed' ? 'failed' : 'was not measured';
  return `${id} (${statistic.name}) ${verb}: ${statistic.detail}`;
}

function exceptionReason({ exception_count }: Findings, gaps: readonly string[]): string {
  const found = `${counted(exception_count, 'exception')} found.`;
  return gaps.length === 0
    ? found
    : `${found} The population is incomplete, so there may be more. ${sentences(gaps)}`;
}

function sentences(parts: readonly string[]): string {
  return parts.map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1).replace(/\.$/, '')}.`).join(' ');
}
